"""Schedules: when which command is due, and how what was done in a run becomes one."""

from __future__ import annotations

import tomllib
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.protocol.schedule import (
    ScheduledCommand,
    ScheduleEntry,
    ScheduleError,
    Timetable,
    carried_out,
    check_entry,
    command_of,
    point_of,
    schedule_toml,
)
from tests.run.samples import done

POINTS = st.builds("{} {}".format, st.sampled_from(["epoch", "step"]), st.integers(1, 10**12 - 1))
PATHS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)
ENTRIES = st.one_of(
    st.builds(
        ScheduleEntry,
        at=POINTS,
        command=st.just("set_trainable"),
        paths=st.lists(PATHS, min_size=1, max_size=3).map(tuple),
        value=st.booleans(),
    ),
    st.builds(
        ScheduleEntry,
        at=POINTS,
        command=st.sampled_from(["freeze_all", "unfreeze_next", "unfreeze_all", "undo", "checkpoint"]),
    ),
    st.builds(
        ScheduleEntry, at=POINTS, command=st.just("set_lr"), lr=st.floats(0, exclude_min=True, allow_infinity=False)
    ),
    st.builds(ScheduleEntry, at=POINTS, command=st.just("set_epochs"), epochs=st.integers(1, 10**6)),
    st.builds(ScheduleEntry, at=POINTS, command=st.just("add_epochs"), n=st.integers(-9, 9).filter(bool)),
    st.builds(ScheduleEntry, at=POINTS, command=st.just("stop"), when=st.sampled_from([None, "epoch", "now"])),
)


def entry(at: str, command: str, **fields: Any) -> ScheduleEntry:
    return ScheduleEntry(at=at, command=command, **fields)


def walk(table: Timetable, epochs: int, batches: int) -> dict[int, list[str]]:
    """What is due before each batch of a run, by the batch's number; batches with nothing due are left out."""
    steps = {}
    for step in range(epochs * batches):
        epoch, batch = divmod(step, batches)
        due = table.due(epochs_done=epoch, batches_done=batch, steps_done=step)
        if due:
            steps[step + 1] = [command.name for command in due]
    return steps


COMMANDS: list[tuple[ScheduleEntry, cmd.Command]] = [
    (entry("epoch 1", "freeze_all"), cmd.FreezeAll()),
    (entry("epoch 1", "unfreeze_next"), cmd.UnfreezeNext()),
    (entry("epoch 1", "unfreeze_all"), cmd.UnfreezeAll()),
    (entry("epoch 1", "undo"), cmd.Undo()),
    (entry("epoch 1", "checkpoint"), cmd.Checkpoint()),
    (entry("epoch 1", "set_lr", lr=1e-4), cmd.SetLr(lr=1e-4)),
    (entry("epoch 1", "set_epochs", epochs=9), cmd.SetEpochs(epochs=9)),
    (entry("epoch 1", "add_epochs", n=-2), cmd.AddEpochs(n=-2)),
    (entry("epoch 1", "stop"), cmd.Stop(when="epoch")),
    (entry("epoch 1", "stop", when="now"), cmd.Stop(when="now")),
    (
        entry("epoch 1", "set_trainable", paths=("layer4", "*.bn*"), value=False),
        cmd.SetTrainable(paths=("layer4", "*.bn*"), value=False),
    ),
]


@pytest.mark.parametrize(("scheduled", "command"), COMMANDS)
def test_an_entry_becomes_its_command(scheduled: ScheduleEntry, command: cmd.Command) -> None:
    assert command_of(scheduled) == command


def test_every_command_that_may_be_scheduled_is_tried_above() -> None:
    assert {type(command) for _, command in COMMANDS} == set(get_args(ScheduledCommand))


def test_points_are_read() -> None:
    assert point_of(entry("epoch 4", "undo")) == ("epoch", 4)
    assert point_of(entry("step 120", "undo")) == ("step", 120)


@pytest.mark.parametrize("at", ["epoch ٣", "epoch 4\n", " epoch 4", "epoch  4", "epoch 04", "step " + "9" * 5000])
def test_a_point_is_written_in_one_way(at: str) -> None:
    with pytest.raises(ScheduleError, match=r"^at = .*: expected "):
        point_of(entry(at, "undo"))


@given(ENTRIES)
def test_what_is_made_up_here_is_valid(scheduled: ScheduleEntry) -> None:
    check_entry(scheduled)


def test_entries_are_due_before_their_batch_and_at_no_other() -> None:
    table = Timetable.of(
        [
            entry("epoch 1", "checkpoint"),
            entry("epoch 3", "unfreeze_next"),
            entry("step 2", "set_lr", lr=0.1),
            entry("epoch 9", "undo"),
        ]
    )
    assert walk(table, epochs=4, batches=5) == {1: ["checkpoint"], 2: ["set_lr"], 11: ["unfreeze_next"]}


def test_what_is_due_at_the_same_batch_keeps_the_order_of_the_file() -> None:
    entries = [
        entry("step 6", "undo"),
        entry("epoch 2", "set_lr", lr=0.1),
        entry("step 6", "unfreeze_all"),
        entry("epoch 2", "checkpoint"),
    ]
    names = [scheduled.command for scheduled in entries]
    assert walk(Timetable.of(entries), epochs=2, batches=5) == {6: names}
    assert walk(Timetable.of(entries[::-1]), epochs=2, batches=5) == {6: names[::-1]}


def test_an_epoch_is_not_due_again_in_its_midst() -> None:
    table = Timetable.of([entry("epoch 2", "undo")])
    assert table.due(epochs_done=1, batches_done=0, steps_done=5) == (cmd.Undo(),)
    assert table.due(epochs_done=1, batches_done=1, steps_done=6) == ()
    assert Timetable.of([]).due(epochs_done=0, batches_done=0, steps_done=0) == ()


@given(st.lists(st.tuples(st.sampled_from(["epoch", "step"]), st.integers(1, 12)), max_size=6), st.integers(1, 4))
def test_every_entry_within_the_run_is_due_once(points: list[tuple[str, int]], batches: int) -> None:
    epochs = 3
    entries = [entry(f"{unit} {number}", "set_lr", lr=place + 1.0) for place, (unit, number) in enumerate(points)]
    table = Timetable.of(entries)
    seen: list[float] = []
    for step in range(epochs * batches):
        due = table.due(epochs_done=step // batches, batches_done=step % batches, steps_done=step)
        rates = [command.lr for command in due if isinstance(command, cmd.SetLr)]
        assert rates == sorted(rates)
        seen += rates
    within = [
        place + 1.0
        for place, (unit, number) in enumerate(points)
        if number <= (epochs if unit == "epoch" else epochs * batches)
    ]
    assert sorted(seen) == within


@given(st.lists(ENTRIES, max_size=5))
def test_entries_survive_being_written(entries: list[ScheduleEntry]) -> None:
    read = tomllib.loads(schedule_toml(entries)).get("schedule", [])
    assert msgspec.convert(read, list[ScheduleEntry]) == entries


def test_tables_are_written_for_people_to_read() -> None:
    entries = [entry("epoch 4", "unfreeze_next"), entry("step 7", "set_trainable", paths=("layer4",), value=True)]
    assert schedule_toml(entries) == (
        '[[schedule]]\nat = "epoch 4"\ncommand = "unfreeze_next"\n\n'
        '[[schedule]]\nat = "step 7"\ncommand = "set_trainable"\npaths = [\n    "layer4",\n]\nvalue = true\n'
    )
    assert schedule_toml([]) == ""


def test_what_was_carried_out_becomes_a_schedule() -> None:
    commands = [
        done("unfreeze_next", epoch=2, batch=0, step=26),
        done("pause", epoch=2, batch=3, step=29),
        done("estimate", epoch=2, batch=3, step=29, change={"type": "undo"}),
        done("set_lr", epoch=2, batch=3, step=29, lr=3e-4),
        done("resume", epoch=2, batch=3, step=29),
        done("set_trainable", epoch=3, batch=0, step=51, paths=["layer3"], value=True, origin="schedule"),
        done("checkpoint", epoch=3, batch=1, step=52),
        done("an_unheard_of_one", epoch=3, batch=1, step=52),
        done("stop", epoch=3, batch=2, step=53, when="now", interrupted=True),
    ]
    assert carried_out(commands) == (
        [
            entry("epoch 2", "unfreeze_next"),
            entry("step 29", "set_lr", lr=3e-4),
            entry("epoch 3", "set_trainable", paths=("layer3",), value=True),
            entry("step 52", "checkpoint"),
            entry("step 53", "stop", when="now"),
        ],
        0,
    )


def test_commands_that_a_journal_tells_too_little_of_are_counted() -> None:
    commands = [
        ev.CommandDone(command="undo", text="from before journals said when"),
        done("set_lr", epoch=1, batch=1, step=2),
        done("set_lr", epoch=1, batch=1, step=2, lr="fast"),
        done("undo", epoch=1, batch=1, step=2),
    ]
    assert carried_out(commands) == ([entry("step 2", "undo")], 3)


@given(st.lists(ENTRIES, max_size=5))
def test_a_schedule_that_was_carried_out_is_that_schedule_again(entries: list[ScheduleEntry]) -> None:
    batches = 10**12
    commands = []
    for scheduled in entries:
        unit, number = point_of(scheduled)
        command = msgspec.to_builtins(command_of(scheduled))
        epoch, batch, step = (number, 0, (number - 1) * batches + 1) if unit == "epoch" else (1, number, number)
        name = command.pop("type")
        # Who sent it is said beside its own fields.
        command = {key: value for key, value in command.items() if key not in ("id", "client", "origin")}
        commands.append(done(name, epoch=epoch, batch=batch, step=step, origin="schedule", **command))
    again, unclear = carried_out(commands)
    assert unclear == 0
    assert [(one.at, command_of(one)) for one in again] == [(one.at, command_of(one)) for one in entries]
