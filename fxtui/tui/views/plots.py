"""The plots' headings and what they draw."""

from __future__ import annotations

from math import sqrt

from fxtui import formats
from fxtui.run.state import RunState
from fxtui.tui.lines import Line, title
from fxtui.tui.plotting import Curve, PlotSpec


def loss_title(state: RunState, width: int, log: bool, focused: bool = False) -> Line:
    """The heading of the loss plot, with the latest figures."""
    last = state.epochs[-1] if state.epochs else None
    train = state.batch.loss if state.batch else None
    words = width >= 50
    legend: Line = (
        ("─ " + ("train " if words else ""), "train"), (formats.loss(last.train_loss if last else train), "train"),
        ("  ╌ " + ("val " if words else ""), "val"), (formats.loss(last.val_loss if last else None), "val"),
    )  # fmt: skip
    return title("Loss", legend, (("log" if log else "linear", "muted"),), width, focused)


def accuracy_title(state: RunState, width: int, focused: bool = False) -> Line:
    """The heading of the accuracy plot, with the standard error of the validation figure."""
    last = state.epochs[-1] if state.epochs else None
    words = width >= 50
    legend: Line = (
        ("─ " + ("train " if words else ""), "train"),
        (formats.accuracy(last.train_accuracy if last else None), "train"),
        ("  ╌ " + ("val " if words else ""), "val"),
        (formats.accuracy(last.val_accuracy if last else None), "val"),
    )
    right: Line = ()
    if last and state.data and words:
        error = sqrt(last.val_accuracy * (1 - last.val_accuracy) / max(state.data.val, 1)) * 100
        right = ((f"± {error:.1f} (n={state.data.val})", "muted"),)
    return title("Accuracy", legend, right, width, focused)


def loss_spec(state: RunState, log: bool, ascii_only: bool) -> PlotSpec:
    """The loss by epoch; by batch as well while there are too few epochs for a curve."""
    return _spec(state, "loss", log, ascii_only)


def accuracy_spec(state: RunState, ascii_only: bool) -> PlotSpec:
    """The accuracy by epoch; by batch as well while there are too few epochs for a curve."""
    return _spec(state, "accuracy", False, ascii_only)


def _spec(state: RunState, what: str, log: bool, ascii_only: bool) -> PlotSpec:
    epochs = state.epochs
    x = [float(e.epoch) for e in epochs]
    train = [getattr(e, f"train_{what}") for e in epochs]
    curve = Curve("train", x, train)
    if len(epochs) < 2 and len(state.series) > 1:
        curve = Curve("train", state.series.epoch, getattr(state.series, what))
    marks = tuple((mark.epoch, _mark_text(mark.text)) for mark in state.marks if mark.kind == "freeze")
    return PlotSpec(
        curves=(curve, Curve("val", x, [getattr(e, f"val_{what}") for e in epochs])),
        x_max=float(max(state.epochs_planned, 1)),
        marks=marks,
        log=log,
        percent=what == "accuracy",
        ascii_only=ascii_only,
    )


def _mark_text(text: str) -> str:
    return text.partition(" trains")[0] if " trains" in text else text.partition(" frozen")[0] + " frozen"
