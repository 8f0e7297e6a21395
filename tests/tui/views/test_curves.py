"""From a state to curves: smoothing, axes, marks, what is at a point."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.protocol import events as ev
from fxtui.run.state import RunState, fold
from fxtui.text.lines import width_of
from fxtui.tui.views.curves import CurveSource, OverlayRun, PlotSettings, Smoother, shown_by, time_at, x_end
from fxtui.tui.views.plots import accuracy_title, loss_title, reading_title
from tests.tui.fake import START, batch, beginning, epoch_end, thaw

SERIES = st.lists(st.floats(-100, 100) | st.just(math.nan) | st.just(math.inf), max_size=80)


def state_of(events: list[ev.Event], seconds: float = 1.0) -> RunState:
    return fold(msgspec.structs.replace(e, t=START + i * seconds, seq=i) for i, e in enumerate(events))


def trained(epochs: int = 4, batches: int = 25, loss: Callable[[int], float | None] | None = None) -> list[ev.Event]:
    """Every batch of some epochs has said something, and one more epoch has begun."""
    events = beginning()
    for epoch in range(1, epochs + 2):
        for number in range(1, (batches if epoch <= epochs else 5) + 1):
            done = batch(epoch, number)
            events.append(msgspec.structs.replace(done, loss=loss(done.step)) if loss else done)
        if epoch <= epochs:
            events.append(epoch_end(epoch))
    return events


def reference(weight: float, series: list[float]) -> list[float]:
    """The textbook's way: all terms of the sum, every time."""
    found = []
    for end in range(1, len(series) + 1):
        known = [x for x in series[:end] if math.isfinite(x)]
        if not math.isfinite(series[end - 1]):
            found.append(math.nan)
            continue
        weights = [(1 - weight) * weight ** (len(known) - 1 - i) for i in range(len(known))]
        found.append(sum(w * x for w, x in zip(weights, known, strict=True)) / (1 - weight ** len(known)))
    return found


@given(SERIES, st.sampled_from([0.0, 0.3, 0.6, 0.9, 0.97]), st.lists(st.integers(0, 80), max_size=5))
def test_smoothing_equals_the_reference_in_however_many_parts(y: list[float], weight: float, cuts: list[int]) -> None:
    smoother = Smoother(weight)
    series, steps = array("d", y), array("q", range(len(y)))
    for cut in sorted(cut for cut in cuts if cut <= len(y)):
        smoother.take(steps[:cut], series[:cut])
    found = smoother.take(steps, series)
    assert list(found) == pytest.approx(reference(weight, y), rel=1e-6, abs=1e-6, nan_ok=True)
    assert smoother.holes == [i for i, v in enumerate(y) if not math.isfinite(v)]


def test_a_series_that_was_cut_or_replaced_is_smoothed_anew() -> None:
    smoother = Smoother(0.9)
    smoother.take(range(5), [1.0, 2.0, 3.0, math.nan, 5.0])
    assert list(smoother.take(range(2), [1.0, 2.0])) == pytest.approx(reference(0.9, [1.0, 2.0]))
    assert smoother.holes == []
    other = [7.0, 8.0, 9.0, 10.0]
    assert list(smoother.take(range(10, 14), other)) == pytest.approx(reference(0.9, other))


def test_the_weights_are_stepped_and_end() -> None:
    assert PlotSettings().stepped(1) == 0.9
    assert PlotSettings(smoothing=0.97).stepped(1) == 0.97
    assert PlotSettings(smoothing=0.0).stepped(-1) == 0.0


def test_training_is_by_batch_where_there_are_batches_enough() -> None:
    assert shown_by(state_of(trained()), PlotSettings()) == "batch"
    assert shown_by(state_of(trained()), PlotSettings(by="epoch")) == "epoch"
    sparse = [*beginning(), *[e for n in range(1, 6) for e in (batch(n, 25), epoch_end(n))]]
    assert shown_by(state_of(sparse), PlotSettings()) == "epoch"
    assert shown_by(state_of(sparse), PlotSettings(by="batch")) == "batch"


def test_every_axis_ends_where_it_should() -> None:
    state = state_of(trained())
    assert x_end(state, "epoch") == 12
    assert x_end(state, "step") == 12 * 25
    now = state.series.time[-1]
    assert now <= x_end(state, "time") <= now * 1.2
    assert x_end(RunState(), "time") > 0


def test_epochs_lie_where_their_last_batch_does_on_every_axis() -> None:
    state = state_of(trained())
    for axis, places in (
        ("epoch", [1.0, 2.0, 3.0, 4.0]),
        ("step", [25.0, 50.0, 75.0, 100.0]),
        ("time", [state.series.time[i] for i in (24, 49, 74, 99)]),
    ):
        spec = CurveSource("loss").spec(state, PlotSettings(x_axis=axis), (), False)  # type: ignore[arg-type]
        assert list(spec.curves[1].x) == places
        assert len(spec.curves[0].x) == len(spec.curves[0].y) == 105
    assert time_at(state, 24.5) == (state.series.time[23] + state.series.time[24]) / 2


def test_marks_say_what_happened_in_a_few_words() -> None:
    lr = ev.CommandDone(command="set_lr", text="learning rate 0.001 → 0.0003 for the head", step=10)
    frozen = msgspec.structs.replace(thaw(), text="layer4 frozen again, its optimizer state is gone")
    state = state_of([*trained(1), thaw(), lr, ev.RunPaused(epoch=2, step=30), frozen])
    spec = CurveSource("loss").spec(state, PlotSettings(), (), False)
    assert [mark.label for mark in spec.marks] == ["◆ features.8", "lr 3e-4", "paused", "◆ layer4 frozen"]


def test_a_loss_that_is_no_number_is_a_hole() -> None:
    state = state_of(trained(loss=lambda step: None if step == 30 else 1.0))
    for weight in (0.0, 0.9):
        spec = CurveSource("loss").spec(state, PlotSettings(smoothing=weight), (), False)
        assert spec.holes == (state.series.epoch[29],)
        assert math.isnan(spec.curves[0].y[29])


def test_a_reading_gives_the_figures_themselves() -> None:
    state = state_of(trained())
    reading = CurveSource("loss").reading(state, PlotSettings(), 2.41)
    assert reading is not None
    assert (reading.step, reading.epoch, reading.val_epoch) == (60, 2.4, 2)
    assert reading.train == state.series.loss[59]
    assert reading.smoothed == pytest.approx(reference(0.6, list(state.series.loss))[59])
    assert reading.val == state.epochs[1].val_loss
    by_epoch = CurveSource("accuracy").reading(state, PlotSettings(by="epoch", x_axis="step"), 81.0)
    assert by_epoch is not None
    assert (by_epoch.step, by_epoch.train, by_epoch.smoothed) == (75, state.epochs[2].train_accuracy, None)
    assert CurveSource("loss").reading(RunState(), PlotSettings(), 1.0) is None


def test_the_heading_of_a_reading_says_all_or_what_fits() -> None:
    state = state_of(trained())
    reading = CurveSource("loss").reading(state, PlotSettings(), 2.41)
    assert reading is not None
    wide = "".join(text for text, _ in reading_title("loss", reading, PlotSettings(), 75))
    train, smooth, val = f"{reading.train:.4f}", f"{reading.smoothed:.4f}", f"{reading.val:.4f}"
    assert wide.startswith(f"Loss  epoch 2.4 step 60  train {train} (smoothed {smooth})  val {val} @2 ")
    for width in range(1, 80):
        line = reading_title("loss", reading, PlotSettings(), width)
        assert width_of(line) == width
        if width >= 30:
            assert train in "".join(text for text, _ in line)


def test_headings_say_how_the_curve_is_shown() -> None:
    state = state_of(trained())
    shown = "".join(text for text, _ in loss_title(state, 75, PlotSettings(log=True)))
    assert shown.endswith(" log  epoch  smooth 0.60")
    assert f"train {state.series.loss[-1]:.4f}" in shown
    by_epoch = "".join(text for text, _ in loss_title(state, 75, PlotSettings(x_axis="step", by="epoch")))
    assert by_epoch.endswith(" linear  step  by epoch")
    assert f"train {state.epochs[-1].train_loss:.4f}" in by_epoch
    assert "(n=200)" in "".join(text for text, _ in accuracy_title(state, 75, PlotSettings()))
    for width in range(1, 80):
        assert width_of(loss_title(state, width, PlotSettings())) == width
        assert width_of(accuracy_title(state, width, PlotSettings())) == width


def test_earlier_runs_lie_on_the_same_axis() -> None:
    earlier = tuple(msgspec.structs.replace(epoch_end(n), t=500.0 + n) for n in (1, 2))
    run = OverlayRun("2", earlier, started=500.0)
    state = state_of(trained())
    for axis, places in (("epoch", [1.0, 2.0]), ("step", [25.0, 50.0]), ("time", [1.0, 2.0])):
        spec = CurveSource("accuracy").spec(state, PlotSettings(x_axis=axis), (run,), False)  # type: ignore[arg-type]
        assert spec.overlays[0].x == places
        assert spec.overlays[0].y == [end.val_accuracy for end in earlier]
