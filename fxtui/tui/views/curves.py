"""From a run's state to what its plots show: the choice of axes, smoothing, marks, and figures at a point."""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from fxtui.protocol.events import EpochEnd
from fxtui.run.state import Mark as RunMark
from fxtui.run.state import RunState
from fxtui.text import numbers as formats
from fxtui.tui.plotting.scale import nice_step
from fxtui.tui.plotting.spec import Curve, Mark, Overlay, PlotSpec, XAxis

By = Literal["batch", "epoch"]
What = Literal["loss", "accuracy"]
WEIGHTS = (0.0, 0.3, 0.6, 0.9, 0.97)
AXES: tuple[XAxis, ...] = ("epoch", "step", "time")
# With fewer points an epoch a smoothed curve by batch would trail behind by epochs.
_POINTS_AN_EPOCH = 4
_SIGNS = {"freeze": "◆", "lr": "lr", "pause": "‖"}
_NEW_RATE = re.compile(r"→ ([0-9.eE+-]+)")


@dataclass(frozen=True, slots=True)
class PlotSettings:
    """How curves are shown. ``by`` is the training curve's, None: by batch where there are batches enough."""

    x_axis: XAxis = "epoch"
    smoothing: float = 0.6
    by: By | None = None
    log: bool = False

    def stepped(self, places: int) -> float:
        """The weight so many places up or down the list, at its ends the last one."""
        at = bisect_left(WEIGHTS, self.smoothing) + places
        return WEIGHTS[max(0, min(len(WEIGHTS) - 1, at))]


@dataclass(frozen=True, slots=True)
class OverlayRun:
    """An earlier run to compare with. ``started`` in seconds since the epoch, for the time axis."""

    label: str
    epochs: tuple[EpochEnd, ...]
    started: float = 0.0


@dataclass(slots=True)
class Smoother:
    """A debiased moving average of a growing series: v = w v + (1 - w) x, divided by 1 - w^t.

    What is not finite is left out and stays a gap. Only what is new is computed; a series that was cut or replaced is
    begun again. ``holes`` are the places that are gaps.
    """

    weight: float
    values: array[float] = field(default_factory=lambda: array("d"))
    holes: list[int] = field(default_factory=list)
    _average: float = 0.0
    _open: float = 1.0
    _last: tuple[int, float] = (0, 0.0)

    def take(self, steps: Sequence[int], series: Sequence[float]) -> array[float]:
        """The average at every point of ``series``; ``steps`` tells whether it is still the one seen before."""
        done = len(self.values)
        if done > len(series) or (done and not _same(self._last, (steps[done - 1], series[done - 1]))):
            self.values, self.holes, self._average, self._open = array("d"), [], 0.0, 1.0
            done = 0
        if done < len(series):
            self._go_on(series[done:], done)
            self._last = (steps[len(series) - 1], series[-1])
        return self.values

    def _go_on(self, new: Sequence[float], done: int) -> None:
        weight, rest, average, open_ = self.weight, 1 - self.weight, self._average, self._open
        add = self.values.append
        for place, value in enumerate(new, done):
            if math.isfinite(value):
                average = weight * average + rest * value
                open_ *= weight
                add(average / (1 - open_))
            else:
                self.holes.append(place)
                add(math.nan)
        self._average, self._open = average, open_


def _same(a: tuple[int, float], b: tuple[int, float]) -> bool:
    return a[0] == b[0] and (a[1] == b[1] or (math.isnan(a[1]) and math.isnan(b[1])))


@dataclass(frozen=True, slots=True)
class Reading:
    """The figures at a point: of training at ``step``, of validation after ``val_epoch``. None: there is no figure."""

    epoch: float
    step: int
    time: float | None
    train: float | None
    smoothed: float | None
    val: float | None
    val_epoch: int


class CurveSource:
    """One figure of a run, the loss or the accuracy, as curves. It keeps the smoothed series from frame to frame."""

    def __init__(self, what: What) -> None:
        self.what = what
        self._smoother = Smoother(0.0)

    def spec(
        self, state: RunState, settings: PlotSettings, overlays: Sequence[OverlayRun], ascii_only: bool
    ) -> PlotSpec:
        """What to draw."""
        axis, what = settings.x_axis, self.what
        at_epochs = [x_at(state, end, axis) for end in state.epochs]
        val = Curve("val", at_epochs, [getattr(end, f"val_{what}") for end in state.epochs])
        if shown_by(state, settings) == "batch":
            xs = series_x(state, axis)
            train = Curve("train", xs, self._smoothed(state, settings.smoothing))
            holes = [xs[place] for place in self._smoother.holes]
        else:
            train = Curve("train", at_epochs, [getattr(end, f"train_{what}") for end in state.epochs])
            holes = [x for x, y in zip(at_epochs, train.y, strict=True) if not math.isfinite(y)]
        holes += [x for x, y in zip(at_epochs, val.y, strict=True) if not math.isfinite(y)]
        return PlotSpec(
            curves=(train, val),
            x_max=x_end(state, axis),
            x_axis=axis,
            marks=tuple(plot_mark(mark, axis) for mark in state.marks),
            overlays=tuple(self._overlay(run, axis) for run in overlays),
            holes=tuple(holes),
            log=settings.log and what == "loss",
            percent=what == "accuracy",
            ascii_only=ascii_only,
            empty=_empty(state, holes, settings.log and what == "loss"),
        )

    def reading(self, state: RunState, settings: PlotSettings, x: float) -> Reading | None:
        """The figures of the points nearest to ``x``; None where there are none yet."""
        what = self.what
        ends = [x_at(state, end, settings.x_axis) for end in state.epochs]
        near = state.epochs[_nearest(ends, x)] if ends else None
        val = getattr(near, f"val_{what}") if near else None
        val_epoch = near.epoch if near else 0
        if shown_by(state, settings) == "batch":
            series = state.series
            at = _nearest(series_x(state, settings.x_axis), x)
            smooth = self._smoothed(state, settings.smoothing)[at] if settings.smoothing else None
            raw = getattr(series, what)[at]
            return Reading(series.epoch[at], series.step[at], series.time[at], raw, smooth, val, val_epoch)
        if near is None:
            return None
        time = x_at(state, near, "time")
        return Reading(near.epoch, near.step, time, getattr(near, f"train_{what}"), None, val, val_epoch)

    def _smoothed(self, state: RunState, weight: float) -> array[float]:
        if weight != self._smoother.weight:
            self._smoother = Smoother(weight)
        return self._smoother.take(state.series.step, getattr(state.series, self.what))

    def _overlay(self, run: OverlayRun, axis: XAxis) -> Overlay:
        def place(end: EpochEnd) -> float:
            return end.t - run.started if axis == "time" else float(end.step if axis == "step" else end.epoch)

        ends = sorted(run.epochs, key=place)
        return Overlay(run.label, [place(end) for end in ends], [getattr(end, f"val_{self.what}") for end in ends])


def shown_by(state: RunState, settings: PlotSettings) -> By:
    """How the training curve is shown: as it was chosen, as far as there are points for it."""
    if not len(state.series) or not state.epochs:
        return "batch" if len(state.series) else "epoch"
    if settings.by is not None:
        return settings.by
    return "batch" if len(state.series) >= _POINTS_AN_EPOCH * len(state.epochs) or len(state.epochs) < 2 else "epoch"


def series_x(state: RunState, axis: XAxis) -> Sequence[float]:
    """Where the batches lie on an axis."""
    return state.series.step if axis == "step" else state.series.time if axis == "time" else state.series.epoch


def x_at(state: RunState, end: EpochEnd, axis: XAxis) -> float:
    """Where an epoch's figures lie on an axis: at its last batch."""
    if axis != "time":
        return float(end.step if axis == "step" else end.epoch)
    return time_at(state, end.step) if len(state.series) else max(0.0, end.t - state.started)


def time_at(state: RunState, step: float) -> float:
    """Seconds into the run at a step, between the batches that said when they were; 0 where none did."""
    series = state.series
    after = bisect_left(series.step, step)
    if after == len(series) or series.step[after] == step or after == 0:
        return series.time[min(after, len(series) - 1)] if len(series) else 0.0
    first, last = series.step[after - 1], series.step[after]
    part = (step - first) / (last - first)
    return series.time[after - 1] + part * (series.time[after] - series.time[after - 1])


def x_end(state: RunState, axis: XAxis) -> float:
    """Where the x axis ends: with the last epoch planned, in time a little after now, so that it seldom moves."""
    epochs = max(state.epochs_planned, state.epochs[-1].epoch if state.epochs else 0, 1)
    if axis == "epoch":
        return float(epochs)
    if axis == "step":
        done = max(state.series.step[-1] if len(state.series) else 0, state.epochs[-1].step if state.epochs else 0)
        return float(max(done, epochs * state.batch.batches if state.batch else 0, 1))
    ends = [x_at(state, state.epochs[-1], axis)] if state.epochs else []
    now = max([*state.series.time[-1:], *ends, 1.0])
    step = nice_step(now / 10)
    return math.ceil(now / step - 1e-9) * step


def on_axis(reading: Reading, axis: XAxis) -> float:
    """Where a reading lies on an axis."""
    return float(reading.step if axis == "step" else reading.epoch if axis == "epoch" else reading.time or 0.0)


def plot_mark(mark: RunMark, axis: XAxis) -> Mark:
    """An event of the run as a vertical line, with the shortest label that says what happened."""
    x = float(mark.step if axis == "step" else mark.time if axis == "time" else mark.epoch)
    if mark.kind == "freeze":
        return Mark(x, _SIGNS["freeze"], f"{_SIGNS['freeze']} {freeze_words(mark.text)}")
    found = _NEW_RATE.search(mark.text) if mark.kind == "lr" else None
    return Mark(x, _SIGNS[mark.kind], f"lr {_rate(found[1])}" if found else "lr" if mark.kind == "lr" else "paused")


def freeze_words(text: str) -> str:
    """A change of freezing in a few words: `layer4`, `layer4 frozen`."""
    return text.partition(" trains")[0] if " trains" in text else text.partition(" frozen")[0] + " frozen"


def _rate(text: str) -> str:
    try:
        return formats.lr(float(text))
    except ValueError:
        return text


def _nearest(places: Sequence[float], x: float) -> int:
    after = min(bisect_right(places, x), len(places) - 1)
    return after - 1 if after and x - places[after - 1] <= places[after] - x else after


def _empty(state: RunState, holes: Sequence[float], log: bool) -> str:
    if holes:
        return "no figure is a number"
    if log and (state.epochs or len(state.series)):
        return "nothing above 0 to show on a log axis (y)"
    return "first point after epoch 1"
