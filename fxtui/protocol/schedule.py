"""A schedule: commands that a run carries out by itself, each at a point named beforehand.

A point is `epoch N`, before the first batch of that epoch, or `step N`, before that batch of the run; both count from
1. What was done by hand in one run can be written down as a schedule and played back by another.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec
import tomli_w
from msgspec import Struct

from fxtui.protocol import commands as cmd
from fxtui.protocol.events import CommandDone
from fxtui.protocol.naming import snake_case

Unit = Literal["epoch", "step"]
ScheduledCommand = cmd.FreezeCommand | cmd.SetLr | cmd.SetEpochs | cmd.AddEpochs | cmd.Stop | cmd.Checkpoint

MOST_EPOCHS = 1_000_000

_KINDS: Mapping[str, type[ScheduledCommand]] = {snake_case(kind.__name__): kind for kind in get_args(ScheduledCommand)}
# Who sent a command, and what it was meant for at that moment: a schedule sends its own, and means what is then.
_NOT_SCHEDULED = frozenset({"id", "client", "origin", "interrupted", "depth"})
_POINT = re.compile(r"(epoch|step) ([1-9][0-9]{0,11})")
_EXAMPLES = {"paths": '["layer4"]', "value": "true", "lr": "0.0003", "epochs": "12", "n": "5"}


class ScheduleError(ValueError):
    """An entry that cannot be carried out: its key, the value and what would be right, in one line."""


class ScheduleEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One `[[schedule]]` table: when, which command, and the command's own fields; None for those not given."""

    at: str
    command: str
    paths: tuple[str, ...] | None = None
    value: bool | None = None
    only: bool | None = None
    lr: float | None = None
    epochs: int | None = None
    n: int | None = None
    when: Literal["epoch", "now"] | None = None


ENTRY_KEYS = tuple(field.name for field in msgspec.structs.fields(ScheduleEntry))
_ARGUMENTS = tuple(key for key in ENTRY_KEYS if key not in ("at", "command"))


def point_of(entry: ScheduleEntry) -> tuple[Unit, int]:
    """When an entry is due, e.g. ``("epoch", 4)``.

    Raises:
        ScheduleError: `at` names no point.
    """
    found = _POINT.fullmatch(entry.at)
    if not found:
        raise ScheduleError(f'at = {entry.at!r}: expected "epoch N" or "step N" counted from 1, e.g. "epoch 4"')
    return "epoch" if found[1] == "epoch" else "step", int(found[2])


def command_of(entry: ScheduleEntry) -> ScheduledCommand:
    """The command of an entry.

    Raises:
        ScheduleError: there is no such command, or its fields are not those that it takes.
    """
    kind = _KINDS.get(entry.command)
    if kind is None:
        close = difflib.get_close_matches(entry.command, _KINDS, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ScheduleError(f"command = {entry.command!r}: expected one of {', '.join(_KINDS)}{hint}")
    given = {key: value for key in _ARGUMENTS if (value := getattr(entry, key)) is not None}
    own = [field for field in msgspec.structs.fields(kind) if field.name not in _NOT_SCHEDULED]
    for key, value in given.items():
        if key not in {field.name for field in own}:
            takes = ", ".join(field.name for field in own)
            hint = f"{entry.command} takes {takes}" if takes else f"{entry.command} takes nothing more"
            raise ScheduleError(f"{key} = {_plain(value)!r}: {hint}")
        if expected := _refusal(key, value):
            raise ScheduleError(f"{key} = {_plain(value)!r}: expected {expected}")
    for field in own:
        if field.required and field.name not in given:
            raise ScheduleError(f"{field.name}: missing; {entry.command} needs it, e.g. {_example(field.name)}")
    return kind(**given)


def check_entry(entry: ScheduleEntry) -> None:
    """Check all of an entry.

    Raises:
        ScheduleError: something in it is wrong.
    """
    point_of(entry)
    command_of(entry)


@dataclass(frozen=True, slots=True)
class Timetable:
    """A schedule made ready to be asked before every batch. Commands carry their place in the schedule."""

    by_epoch: Mapping[int, tuple[tuple[int, ScheduledCommand], ...]]
    by_step: Mapping[int, tuple[tuple[int, ScheduledCommand], ...]]

    @classmethod
    def of(cls, entries: Iterable[ScheduleEntry]) -> Timetable:
        """The timetable of a checked schedule."""
        tables: dict[Unit, dict[int, tuple[tuple[int, ScheduledCommand], ...]]] = {"epoch": {}, "step": {}}
        for place, entry in enumerate(entries):
            unit, number = point_of(entry)
            tables[unit][number] = (*tables[unit].get(number, ()), (place, command_of(entry)))
        return cls(tables["epoch"], tables["step"])

    def due(self, *, epochs_done: int, batches_done: int, steps_done: int) -> tuple[ScheduledCommand, ...]:
        """The commands due exactly now, in the schedule's order.

        ``epochs_done`` epochs are over, ``batches_done`` batches of the present one, ``steps_done`` batches of the run.
        """
        by_epoch = () if batches_done else self.by_epoch.get(epochs_done + 1, ())
        by_step = self.by_step.get(steps_done + 1, ())
        if not by_epoch and not by_step:
            return ()
        return tuple(command for _, command in sorted((*by_epoch, *by_step), key=lambda item: item[0]))


def carried_out(commands: Iterable[CommandDone]) -> tuple[list[ScheduleEntry], int]:
    """The schedule that plays back what was carried out, and how many commands the journal says too little of.

    Pausing, asking for a price and the like leave nothing to play back.
    """
    entries: list[ScheduleEntry] = []
    unclear = 0
    for done in commands:
        if done.command not in _KINDS:
            continue
        own = {key: value for key, value in done.arguments.items() if key not in _NOT_SCHEDULED}
        if not own.get("only"):
            own.pop("only", None)
        at = f"epoch {done.epoch}" if done.batch == 0 else f"step {done.step}"
        try:
            entry = msgspec.convert({**own, "at": at, "command": done.command}, ScheduleEntry)
            check_entry(entry)
        except (msgspec.ValidationError, ScheduleError):
            unclear += 1
        else:
            entries.append(entry)
    return entries, unclear


def schedule_toml(entries: Iterable[ScheduleEntry]) -> str:
    """The entries as `[[schedule]]` tables; nothing for none."""
    return "\n".join(f"[[schedule]]\n{tomli_w.dumps(msgspec.to_builtins(entry))}" for entry in entries)


def _refusal(key: str, value: Any) -> str:
    """What a field should be, if the value is out of range; else nothing."""
    match key:
        case "lr" if not (math.isfinite(value) and value > 0):
            return "a number above 0"
        case "epochs" if not 1 <= value <= MOST_EPOCHS:
            return "1 or more"
        case "n" if value == 0 or abs(value) > MOST_EPOCHS:
            return "a count of epochs, above 0 for more and below it for fewer"
        case "paths" if not value:
            return f"at least one layer, e.g. {_EXAMPLES['paths']}"
    return ""


def _example(key: str) -> str:
    return f"{key} = {_EXAMPLES[key]}"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
