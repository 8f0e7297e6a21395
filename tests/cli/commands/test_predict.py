"""``fxtui predict``: the prediction trace as text, and images that are not there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from fxtui.cli.commands.predict import bar, trace_lines
from fxtui.cli.main import main
from tests.cli.recorded import record
from tests.run.samples import whole_run

if TYPE_CHECKING:
    from fxtui.engine.predicting.from_checkpoint import PredictionTrace

TRACE = SimpleNamespace(
    image="photos/cat 1.png",
    input_shape=(1, 3, 64, 64),
    features=1280,
    feature_norm=12.34567,
    logits=(("cat", 2.28), ("Vogel", -0.5)),
    probabilities=(("cat", 0.942), ("Vogel", 0.058)),
    predicted="cat",
    checkpoint="best",
    epoch=4,
)


def test_a_trace_reads_from_pixels_to_probabilities() -> None:
    assert list(trace_lines(cast("PredictionTrace", TRACE))) == [
        "photos/cat 1.png",
        "  input image        1×3×64×64",
        "  feature extractor  1,280 features, norm 12.3457",
        "  linear layer       logits of the top classes",
        "    cat      +2.2800",
        "    Vogel    -0.5000",
        "  softmax",
        "    cat    ━━━━━━━━━━━━━━━━━━━━━━━━━━━━╸─   94.2%",
        "    Vogel  ━╸────────────────────────────    5.8%",
        "  predicted cat at 94.2%  (best checkpoint, epoch 4)",
    ]


@pytest.mark.parametrize(
    ("fraction", "drawn"),
    [(0.0, "────"), (0.125, "╸───"), (0.25, "━───"), (0.5, "━━──"), (0.99, "━━━━"), (1.0, "━━━━"), (1.5, "━━━━")],
)
def test_a_bar_is_as_long_as_its_fraction_to_half_a_cell(fraction: float, drawn: str) -> None:
    assert bar(fraction, 4) == drawn


def test_an_image_that_is_not_there_is_said_before_torch_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path, "x", whole_run())
    assert main(["predict", "x", str(tmp_path / "none.png"), "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"fxtui: IMAGE {tmp_path / 'none.png'}: no such file\n"
    assert main(["predict", "x", str(tmp_path), "--runs", str(tmp_path)]) == 2
    assert "is a folder; give image files" in capsys.readouterr().err
