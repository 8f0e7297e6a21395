"""``fxtui predict``: an image's way through the network, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fxtui.cli.options import DEFAULT_RUNS, Json, RunReference, Runs
from fxtui.cli.output.streams import complain
from fxtui.config import ConfigError

if TYPE_CHECKING:
    from fxtui.engine.predicting.from_checkpoint import PredictionTrace

_BAR_CELLS = 30


def predict(
    run: RunReference,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
) -> int:
    """Predict images with a run's best checkpoint, and show each step: input, features, logits, softmax."""
    from fxtui.run.store import RunStore

    found = RunStore(runs).find(run)
    missing = [path for path in images if not path.is_file()]
    if missing:
        what = "is a folder; give image files" if missing[0].is_dir() else "no such file"
        raise ConfigError(f"IMAGE {missing[0]}: {what}")

    from fxtui.engine.predicting.from_checkpoint import Predictor

    predictor = Predictor(found)
    status = 0
    for number, path in enumerate(images):
        try:
            trace = predictor.trace(path)
        except ConfigError as error:
            complain(str(error))
            status = 2
            continue
        _print(trace, json, first=number == 0)
    return status


def trace_lines(trace: PredictionTrace) -> Iterator[str]:
    """The prediction trace as lines, the prediction itself last."""
    yield trace.image
    yield f"  input image        {'×'.join(str(size) for size in trace.input_shape)}"
    yield f"  feature extractor  {trace.features:,} features, norm {trace.feature_norm:.4f}"
    width = max(len(name) for name, _ in trace.logits)
    yield "  linear layer       logits of the top classes"
    for name, logit in trace.logits:
        yield f"    {name:<{width}}  {logit:>+9.4f}"
    yield "  softmax"
    for name, chance in trace.probabilities:
        yield f"    {name:<{width}}  {bar(chance)}  {chance:>6.1%}"
    first = trace.probabilities[0][1]
    yield f"  predicted {trace.predicted} at {first:.1%}  ({trace.checkpoint} checkpoint, epoch {trace.epoch})"


def bar(fraction: float, cells: int = _BAR_CELLS) -> str:
    """A fraction as a bar, to half a cell."""
    halves = round(min(max(fraction, 0.0), 1.0) * cells * 2)
    return "━" * (halves // 2) + "╸" * (halves % 2) + "─" * (cells - (halves + 1) // 2)


def _print(trace: PredictionTrace, json: bool, *, first: bool) -> None:
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json

    if json:
        print_json(trace)
        return
    console = make_console()
    if not first:
        console.print()
    for number, line in enumerate(trace_lines(trace)):
        console.print(line, style="" if number else "bold")
