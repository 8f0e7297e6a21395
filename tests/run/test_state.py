"""RunState: what each event changes, and that replay equals live."""

from __future__ import annotations

import dataclasses
import math
import typing

import pytest

from fxtui.run import events as ev
from fxtui.run.events import decode, encode
from fxtui.run.state import RunState, fold
from tests.run.samples import STARTED, epoch, layer_row, opening, stamped, trained, unfreezing, whole_run


def test_start_sets_name_plan_and_clock() -> None:
    state = fold(stamped([ev.RunStarted(name="a", version="0.1.0", epochs=7, config={"seed": 3})]))
    assert (state.name, state.epochs_planned, state.started, state.config) == ("a", 7, STARTED, {"seed": 3})
    assert state.phase == "starting"
    assert not state.ended


def test_data_and_model_are_logged_with_their_differences() -> None:
    state = fold(stamped(opening()))
    texts = [line.text for line in state.log]
    assert texts[0] == "digits: 800 train, 200 validation, 10 classes; 2 files left out: not images"
    assert texts[1] == "skipped a/empty.png: empty file"
    assert texts[2] == "resnet18: 120 of 122 tensors from ResNet18_Weights.IMAGENET1K_V1; 2 missing"
    assert [file.path for file in state.skipped] == ["a/empty.png"]


@pytest.mark.parametrize(
    ("count", "phase", "marks"),
    [
        (1, "starting", ["waiting"] * 5),
        (3, "loading", ["waiting"] * 5),
        (7, "extracting", ["working"] * 3 + ["waiting"] * 2),
        (11, "training", ["done"] * 3 + ["working", "waiting"]),
    ],
)
def test_phase_and_stage_marks_follow_the_pipeline(count: int, phase: str, marks: list[str]) -> None:
    state = fold(stamped(opening()[:count]))
    assert state.phase == phase
    assert [state.stage_mark(stage) for stage in ev.STAGES] == marks


def test_validation_is_working_while_its_progress_comes_and_training_again_after_it() -> None:
    events = [*opening(), *trained(1, 0.8)]
    during = fold(stamped(events[: len(opening()) + 3]))
    assert during.phase == "validating"
    assert during.stage_mark("train") == "done"
    assert during.stage_mark("validate") == "working"
    after = fold(stamped(events))
    assert after.phase == "training"
    assert after.stage_mark("validate") == "done"


def test_batches_fill_the_series_with_fractional_epochs_and_time_since_start() -> None:
    events = stamped([*opening(), *trained(1, 0.8), *trained(2, 0.9)])
    series = fold(events).series
    assert list(series.step) == [12, 25, 37, 50]
    assert list(series.epoch) == [12 / 25, 1.0, 1 + 12 / 25, 2.0]
    times = [event.t - STARTED for event in events if isinstance(event, ev.BatchEnd)]
    assert list(series.time) == times
    assert len(series) == 4


def test_a_loss_that_is_no_number_is_nan_in_the_series() -> None:
    batch = ev.BatchEnd(epoch=1, step=1, batch=1, batches=2, loss=None, accuracy=0.5, lr=1e-3)
    assert math.isnan(fold(stamped([batch])).series.loss[0])


def test_best_is_the_last_epoch_marked_best() -> None:
    state = fold(stamped([epoch(1, 0.8, best=True), epoch(2, 0.9, best=True), epoch(3, 0.85)]))
    assert state.best is not None
    assert state.best.epoch == 2
    assert [end.epoch for end in state.epochs] == [1, 2, 3]


def test_a_freeze_change_replaces_only_its_rows_and_marks_the_curve() -> None:
    state = fold(stamped([*opening(), *trained(1, 0.8), unfreezing(1)]))
    by_path = {row.path: row for row in state.layers}
    assert by_path["layer4"].trainable == "all"
    assert by_path["layer3"] == layer_row("layer3")
    assert state.trainable_parameters == 8_393_728 + 5_130
    assert [(mark.kind, mark.step, mark.epoch) for mark in state.marks] == [("freeze", 25, 1.0)]


def test_pause_keeps_the_phase_it_interrupted() -> None:
    progress = ev.ExtractionProgress(done=1, total=2, images_per_s=1.0)
    paused = fold(stamped([*opening()[:6], progress, ev.RunPaused(epoch=0, step=0)]))
    assert paused.phase == "paused"
    assert paused.stage_mark("features") == "working"
    paused.apply(ev.RunResumed(epoch=0, step=0))
    assert paused.phase == "extracting"


def test_commands_warnings_and_output_are_logged_at_their_level() -> None:
    state = fold(
        stamped(
            [
                ev.CommandDone(command="checkpoint", text="done"),
                ev.CommandRefused(command="undo", reason="nothing to undo"),
                ev.Warning(text="careful"),
                ev.Output(text="printed"),
            ]
        )
    )
    assert [(line.level, line.text) for line in state.log] == [
        ("info", "done"),
        ("warning", "nothing to undo"),
        ("warning", "careful"),
        ("output", "printed"),
    ]
    assert state.marks == []


def test_a_changed_rate_is_a_mark() -> None:
    state = fold(stamped([ev.CommandDone(command="set_lr", text="learning rate 1e-3 → 3e-4")]))
    assert [(mark.kind, mark.text) for mark in state.marks] == [("lr", "learning rate 1e-3 → 3e-4")]


def test_changed_epochs_change_the_plan() -> None:
    assert fold(stamped([*opening(3), ev.EpochsChanged(before=3, after=9)])).epochs_planned == 9


@pytest.mark.parametrize("status", ["finished", "stopped", "failed"])
def test_the_end_sets_phase_and_reason(status: ev.RunStatus) -> None:
    state = fold(
        stamped([*opening(), ev.RunFinished(status=status, best=None, final=None, timings={}, reason="because")])
    )
    assert (state.phase, state.reason, state.ended) == (status, "because", True)
    assert state.log[-1].text == f"{status}: because"
    assert state.log[-1].level == ("error" if status == "failed" else "info")
    assert state.seconds_left is None


def test_all_stages_are_done_only_when_the_run_finished() -> None:
    early = [*opening()[:3]]
    finished = ev.RunFinished(status="finished", best=None, final=None, timings={})
    failed = ev.RunFinished(status="failed", best=None, final=None, timings={})
    assert {fold([*early, finished]).stage_mark(stage) for stage in ev.STAGES} == {"done"}
    assert fold([*early, failed]).stage_mark("validate") == "waiting"


def test_pace_is_the_median_of_three_epochs_and_starts_anew_after_unfreezing() -> None:
    before = [epoch(n, 0.8, seconds=s) for n, s in ((1, 9.0), (2, 1.0), (3, 2.0), (4, 3.0))]
    state = fold(stamped([*opening(10), *before]))
    assert state.seconds_per_epoch == 2.0
    assert state.seconds_left == 12.0
    state.apply(trained(4, 0.8)[1])
    state.apply(unfreezing(4))
    assert state.seconds_per_epoch is None
    state.apply(epoch(5, 0.9, seconds=20.0))
    assert state.seconds_per_epoch == 20.0


def test_time_left_counts_the_part_of_the_epoch_that_is_done() -> None:
    state = fold(stamped([*opening(3), *trained(1, 0.8, seconds=10.0), trained(2, 0.9)[0]]))
    assert state.seconds_left == pytest.approx(10.0 * (2 - 12 / 25))


def test_elapsed_is_from_the_first_to_the_latest_event() -> None:
    events = whole_run()
    assert fold(events).elapsed == pytest.approx((len(events) - 1) * 0.5)


def test_the_sample_holds_every_kind_of_event() -> None:
    assert {type(event) for event in whole_run()} == set(typing.get_args(ev.AnyEvent))


def test_a_replayed_run_equals_the_live_one() -> None:
    live = RunState()
    for event in whole_run():
        live.apply(event)
    decoded = [decode(encode(event)) for event in whole_run()]
    assert decoded == whole_run()
    replayed = fold(event for event in decoded if event is not None)
    assert dataclasses.asdict(replayed) == dataclasses.asdict(live)


def test_every_prefix_of_a_run_folds_alike_in_one_go_and_step_by_step() -> None:
    events, state = whole_run(), RunState()
    for count, event in enumerate(events, start=1):
        state.apply(event)
        assert dataclasses.asdict(fold(events[:count])) == dataclasses.asdict(state)
