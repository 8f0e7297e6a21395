"""The headings of the plots: the latest figures, or those under the crosshair."""

from __future__ import annotations

from collections.abc import Callable

from fxtui.advice.rules import standard_error
from fxtui.run.state import RunState
from fxtui.text import numbers as formats
from fxtui.text.lines import Line, title, width_of
from fxtui.tui.plotting.axes import x_label
from fxtui.tui.views.curves import PlotSettings, Reading, What, shown_by

_ROOMY = 50
_FIGURES: dict[What, Callable[[float | None], str]] = {"loss": formats.loss, "accuracy": formats.accuracy}


def loss_title(state: RunState, width: int, settings: PlotSettings, focused: bool = False) -> Line:
    """The heading of the loss plot: the latest figures, and how the curve is shown."""
    last = state.epochs[-1] if state.epochs else None
    running = state.batch if state.batch and (last is None or state.batch.epoch > last.epoch) else None
    train = running.loss if running and shown_by(state, settings) == "batch" else last.train_loss if last else None
    rights = _ways(state, settings, ["log" if settings.log else "linear"])
    return _headed("Loss", _legend("loss", train, last.val_loss if last else None, width), rights, width, focused)


def accuracy_title(state: RunState, width: int, settings: PlotSettings, focused: bool = False) -> Line:
    """The heading of the accuracy plot, with the standard error of the validation figure."""
    last = state.epochs[-1] if state.epochs else None
    running = state.batch if state.batch and (last is None or state.batch.epoch > last.epoch) else None
    by_batch = shown_by(state, settings) == "batch"
    train = running.accuracy if running and by_batch else last.train_accuracy if last else None
    legend = _legend("accuracy", train, last.val_accuracy if last else None, width)
    if last is None or state.data is None:
        return _headed("Accuracy", legend, _ways(state, settings, []), width, focused)
    error = standard_error(last.val_accuracy, state.data.val) * 100
    noise = f"noise {error:.1f}"
    return _headed("Accuracy", legend, [f"{noise} (n={state.data.val})", noise], width, focused)


def reading_title(what: What, reading: Reading, settings: PlotSettings, width: int, focused: bool = False) -> Line:
    """The heading while the crosshair is on: the exact figures of the nearest points; the least words that fit."""
    figure = _FIGURES[what]
    train, val = figure(_number(reading.train)), figure(_number(reading.val))
    epoch = f"{reading.epoch:.2f}".rstrip("0").rstrip(".")
    at = f"epoch {epoch} step {reading.step}"
    short = f"{reading.step}" if settings.x_axis == "step" else epoch
    if settings.x_axis == "time" and reading.time is not None:
        at, short = f"{at} {x_label(reading.time, 'time')}", x_label(reading.time, "time")
    smoothed = f" (smoothed {figure(_number(reading.smoothed))})" if reading.smoothed is not None else ""
    after = f" @{reading.val_epoch}" if reading.val_epoch and reading.val_epoch != reading.epoch else ""
    ways: list[Line] = [
        ((at, "accent"), (f"  train {train}", "train"), (smoothed, "muted"), (f"  val {val}", "val"), (after, "muted")),
        ((at, "accent"), (f"  train {train}", "train"), (smoothed, "muted"), (f"  val {val}", "val")),
        ((at, "accent"), (f"  train {train}", "train"), (f"  val {val}", "val"), (after, "muted")),
        ((short, "accent"), (f"  train {train}", "train"), (f"  val {val}", "val"), (after, "muted")),
        ((short, "accent"), (f"  ─ {train}", "train"), (f"  ╌ {val}", "val"), (after, "muted")),
        ((short, "accent"), (f" ─ {train}", "train"), (f" ╌ {val}", "val")),
        ((short, "accent"), (f" {train}", "train"), (f" {val}", "val")),
    ]
    name = what.capitalize()
    fitting = next((way for way in ways if len(name) + 3 + width_of(way) <= width), ways[-1])
    return title(name, tuple(piece for piece in fitting if piece[0]), (), width, focused)


def _number(value: float | None) -> float | None:
    return value if value is not None and abs(value) < float("inf") else None


def _legend(what: What, train: float | None, val: float | None, width: int) -> Line:
    words = width >= _ROOMY
    return (
        ("─ " + ("train " if words else ""), "train"),
        (_FIGURES[what](_number(train)), "train"),
        ("  ╌ " + ("val " if words else ""), "val"),
        (_FIGURES[what](_number(val)), "val"),
    )


def _ways(state: RunState, settings: PlotSettings, first: list[str]) -> list[str]:
    """How the curve is shown, from all of it to what matters most."""
    by_batch = shown_by(state, settings) == "batch"
    smooth = "by epoch" if not by_batch else f"smooth {settings.smoothing:.2f}" if settings.smoothing else "by batch"
    words = [*first, settings.x_axis, smooth]
    return ["  ".join(words[:count]) for count in range(len(words), 0, -1)]


def _headed(name: str, legend: Line, rights: list[str], width: int, focused: bool) -> Line:
    used = len(name) + 4 + width_of(legend)
    right = next((text for text in rights if used + len(text) + 2 <= width), "")
    return title(name, legend, ((right, "muted"),) if right else (), width, focused)
