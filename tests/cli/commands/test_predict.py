"""The prediction trace as text."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from fxtui.cli.commands.predict import bar, trace_lines

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
