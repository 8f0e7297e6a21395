"""RunState: what each event changes, and that replay equals live."""

from __future__ import annotations

import dataclasses
import math
import typing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.protocol import events as ev
from fxtui.protocol.encoding import decode, encode
from fxtui.run.state import RunState, fold
from tests.run.samples import (
    STARTED,
    done,
    epoch,
    estimated,
    figures,
    going_on,
    layer_row,
    opening,
    stamped,
    trained,
    unfreezing,
    whole_run,
)


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


def test_an_estimate_holds_until_the_freezing_changes() -> None:
    state = fold(stamped([*opening(), estimated()]))
    assert state.estimate is not None
    assert state.estimate.then.trainable_parameters == 8_393_728 + 5_130
    state.apply(trained(1, 0.8)[0])
    assert state.estimate is not None
    state.apply(unfreezing(1))
    assert state.estimate is None


def test_what_is_told_late_or_computed_in_a_pause_does_not_end_it() -> None:
    # A report that was held back comes after the pause, and a change of freezing in it computes features.
    state = fold(stamped([*opening(), *trained(1, 0.9), ev.RunPaused(epoch=2, step=26)]))
    for event in stamped([*trained(2, 0.9), *opening()[6:]]):
        state.apply(event)
        assert state.phase == "paused"
    state.apply(ev.RunResumed(epoch=2, step=26))
    assert state.phase in ("training", "extracting")


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
                ev.RunWarning(text="careful"),
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
    events = stamped([*opening(), *trained(1, 0.8)])
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


def test_commands_are_kept_as_they_were_carried_out() -> None:
    commands = [done("set_lr", epoch=1, batch=0, step=1, lr=1e-4), done("pause", epoch=1, batch=3, step=4)]
    refused = ev.CommandRefused(command="undo", reason="nothing to undo")
    state = fold(stamped([commands[0], refused, commands[1]]))
    assert [(kept.command, kept.step) for kept in state.commands] == [("set_lr", 1), ("pause", 4)]


def test_a_run_that_goes_on_forgets_what_came_after_its_checkpoint() -> None:
    end = figures(epoch(2, 0.9))
    events = [
        *opening(2),
        *trained(1, 0.8, best=True),
        *(event for event in trained(2, 0.9, best=True) if not isinstance(event, ev.Evaluation)),
        ev.RunFinished(status="stopped", best=end, final=end, timings={}, reason="by hand"),
        *going_on(2, 25, 4),
    ]
    for kind in ("last", "best"):
        saved = ev.CheckpointSaved(kind=kind, path=f"checkpoints/{kind}", epoch=1, step=25, val_accuracy=0.8, bytes=1)
        events.insert(len(opening()) + 6, saved)
    state = fold(stamped(events[: -len(opening()) + 1]))
    assert (state.phase, state.ended, state.finished, state.reason) == ("loading", False, None, "")
    assert (state.epochs_planned, state.step) == (4, 25)
    assert [one.epoch for one in state.epochs] == [1]
    assert state.best is not None
    assert state.best.epoch == 1
    assert state.evaluation is not None
    assert state.evaluation.epoch == 1
    assert list(state.series.step) == [12, 25]
    assert len({len(column) for column in (state.series, state.series.epoch, state.series.time)}) == 1
    assert len(state.series.loss) == len(state.series.accuracy) == 2
    assert (state.cache, state.validation, state.extraction) == (None, None, None)
    assert set(state.checkpoints) == {"last"}
    assert [state.stage_mark(stage) for stage in ev.STAGES] == ["done"] * 5
    assert state.log[-1].text == "goes on from epoch 2, after step 25"
    assert fold(stamped(events)).phase == "training"


def test_an_evaluation_of_a_later_epoch_goes_too() -> None:
    state = fold(stamped([*opening(), *trained(1, 0.8), *trained(2, 0.9), *going_on(2, 25, 3)]))
    assert state.evaluation is None


def test_going_on_in_the_middle_of_an_epoch_knows_the_batch() -> None:
    first, _, *_ = trained(2, 0.9)
    state = fold(stamped([*opening(), *trained(1, 0.8), first, ev.RunContinued(epoch=2, step=31, epochs=3)]))
    assert state.batch is not None
    assert (state.step, state.batch.epoch, state.batch.batch) == (31, 2, 6)
    state = fold(stamped([*opening(), *trained(1, 0.8), ev.RunContinued(epoch=1, step=0, epochs=3)]))
    assert (state.batch, state.step, len(state.series), state.epochs) == (None, 0, 0, [])


def test_an_epoch_that_was_not_validated_in_the_checkpoint_is_under_way_again() -> None:
    events = [*opening(), *trained(1, 0.8), *trained(2, 0.9)[:4], ev.RunContinued(epoch=2, step=50, epochs=3)]
    assert [one.epoch for one in fold(stamped(events)).epochs] == [1]


def test_why_a_run_goes_on_differently_is_a_warning() -> None:
    note = ev.RunContinued(epoch=2, step=25, epochs=3, exact=False, note="2 threads, 4 before")
    line = fold(stamped([*opening(), *trained(1, 0.8), note])).log[-1]
    assert (line.level, line.text) == ("warning", "goes on from epoch 2, after step 25: 2 threads, 4 before")


def test_what_was_carried_out_after_the_checkpoint_does_not_stand_twice() -> None:
    before = [
        done("set_lr", epoch=1, batch=3, step=4, lr=1e-4),
        done("set_lr", epoch=2, batch=0, step=26, lr=2e-4),
        done("stop", epoch=2, batch=0, step=26),
    ]
    saved = trained(1, 0.8)[-1]
    after = [
        done("unfreeze_next", epoch=2, batch=0, step=26, origin="schedule"),
        unfreezing(1),
        done("set_lr", epoch=2, batch=1, step=27, lr=3e-4),
    ]
    kept = fold(stamped([*opening(), *trained(1, 0.8)[:-1], *before, saved, *after, *going_on(2, 25, 3)]))
    assert [(one.command, one.step) for one in kept.commands] == [("set_lr", 4), ("set_lr", 26)]
    assert [mark.kind for mark in kept.marks] == ["lr", "lr"]
    kept.apply(stamped([after[0]], start=STARTED + 99)[0])
    assert [one.command for one in kept.commands] == ["set_lr", "set_lr", "unfreeze_next"]


def test_without_the_checkpoints_event_the_step_alone_decides() -> None:
    commands = [done("undo", epoch=2, batch=b, step=25 + b + 1) for b in range(3)]
    state = fold(stamped([*opening(), *trained(1, 0.8)[:-1], *commands, ev.RunContinued(epoch=2, step=26, epochs=3)]))
    assert [one.step for one in state.commands] == [26, 27]


def test_files_named_again_are_not_counted_twice() -> None:
    state = fold(stamped([*opening(), *trained(1, 0.8), *going_on(2, 25, 3)]))
    assert [file.path for file in state.skipped] == ["a/empty.png"]
    assert sum("skipped" in line.text for line in state.log) == 1


def test_the_time_between_the_end_and_going_on_does_not_count() -> None:
    first = stamped([*opening(), *trained(1, 0.8)])
    again = stamped(
        [ev.RunContinued(epoch=2, step=25, epochs=3), *trained(2, 0.9)], start=first[-1].t + 86_400, every=1.0
    )
    state = fold([*first, *again])
    ran = first[-1].t - STARTED
    assert state.elapsed == pytest.approx(ran + again[-1].t - again[0].t)
    assert state.series.time[-1] == pytest.approx(ran + 2.0)
    assert state.started == STARTED


BATCHES, EPOCHS = 4, 3
LAST = BATCHES * EPOCHS


def script(changes: set[int]) -> list[tuple[int, list[ev.Event]]]:
    """A run in parts that belong together, each with the number of batches done after it.

    ``changes`` names the batches before which a layer was unfrozen and the rate changed.
    """
    parts: list[tuple[int, list[ev.Event]]] = []
    for step in range(1, LAST + 1):
        before, batch = divmod(step - 1, BATCHES)
        if step in changes:
            where = {"epoch": before + 1, "batch": batch, "step": step}
            change = msgspec.structs.replace(unfreezing(before + 1), step=step - 1, text=f"before {step}")
            parts.append((step - 1, [change, done("unfreeze_next", **where), done("set_lr", **where, lr=1 / step)]))
        figure = 1 / step
        trained_on = ev.BatchEnd(
            epoch=before + 1, step=step, batch=batch + 1, batches=BATCHES, loss=figure, accuracy=figure, lr=1e-3
        )
        ends = [epoch(before + 1, 0.9, best=before == 1, steps=BATCHES)] if batch + 1 == BATCHES else []
        parts.append((step, [trained_on, *ends]))
    return parts


def story(state: RunState) -> dict[str, object]:
    """What of a state must not depend on how often the run was taken up again: all but clock, count and log."""
    batch, series = state.batch, state.series
    return {
        "epochs": [(end.epoch, end.step, end.val_accuracy, end.best) for end in state.epochs],
        "best": state.best and state.best.epoch,
        "series": [list(column) for column in (series.step, series.epoch, series.loss, series.accuracy)],
        "marks": [(mark.step, mark.epoch, mark.kind, mark.text) for mark in state.marks],
        "commands": [(one.command, one.step, one.arguments) for one in state.commands],
        "batch": batch and (batch.epoch, batch.step, batch.batch, batch.loss, batch.accuracy),
        "planned": state.epochs_planned,
        "skipped": state.skipped,
    }


@given(
    st.sets(st.integers(1, LAST), max_size=5),
    st.lists(st.tuples(st.integers(0, 2 * LAST), st.integers(0, 2 * LAST)), max_size=3),
)
def test_a_run_taken_up_again_tells_the_same_story(changes: set[int], kills: list[tuple[int, int]]) -> None:
    parts = script(changes)

    def said(begin: int, end: int) -> list[ev.Event]:
        return [event for _, part in parts[begin:end] for event in part]

    events, begun = opening(EPOCHS), 0
    for kill in kills:
        saved, killed = (max(begun, min(place, len(parts))) for place in sorted(kill))
        step = parts[saved - 1][0] if saved else 0
        events += said(begun, saved)
        if saved > begun:
            events.append(ev.CheckpointSaved(kind="last", path="last", epoch=0, step=step, val_accuracy=None, bytes=1))
        # The same from here on is said once in vain and once more when the run goes on.
        events += said(saved, killed)
        events.append(ev.RunContinued(epoch=step // BATCHES + 1, step=step, epochs=EPOCHS))
        straight = fold(stamped([*opening(EPOCHS), *said(0, saved)]))
        assert story(fold(stamped(events))) == story(straight)
        events += opening()[1:]
        begun = saved
    events += said(begun, len(parts))
    assert story(fold(stamped(events))) == story(fold(stamped([*opening(EPOCHS), *said(0, len(parts))])))
