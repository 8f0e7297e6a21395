"""All runs of a directory in a few figures each, read again only when they have changed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fxtui.config import ConfigError
from fxtui.protocol.events import EpochEnd
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory, RunStore
from fxtui.run.summary import RunSummary, summary_of, unread_summary


@dataclass(frozen=True, slots=True)
class RunEntry(RunSummary):
    """A run with what it did, to compare it with others.

    ``done`` are (epoch, what was done); ``settings`` is the configuration with dotted keys.
    """

    trains: str = ""
    lr: float | None = None
    epochs: tuple[EpochEnd, ...] = ()
    best: EpochEnd | None = None
    seconds_per_epoch: float | None = None
    val_images: int = 0
    done: tuple[tuple[int, str], ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


def entry_of(state: RunState, run: RunDirectory, *, running: bool) -> RunEntry:
    """A run's figures from its state; ``running``: a process holds its lock."""
    head = next((row for row in state.layers if row.is_head), None)
    trains = [row.path for row in state.layers if row.is_stage and row.trainable != "none"]
    return RunEntry(
        **_fields(summary_of(state, run, locked=running)),
        trains=", ".join([*_joined(trains), "head"]) if state.layers else "",
        lr=state.epochs[-1].lr if state.epochs else head.lr if head else None,
        epochs=tuple(state.epochs),
        best=state.best,
        seconds_per_epoch=state.seconds_per_epoch,
        val_images=state.data.val if state.data else 0,
        done=tuple((int(mark.epoch) + 1, mark.text) for mark in state.marks),
        settings=dict(_flat(state.config)),
    )


class Catalogue:
    """The runs below ``root``. Not to be used by two threads at once."""

    def __init__(self, root: Path) -> None:
        self._store = RunStore(root)
        self._known: dict[Path, tuple[tuple[int, int, bool], RunEntry]] = {}

    def entries(self) -> list[RunEntry]:
        """Every run, the newest first; one that cannot be read has the status damaged, and the reason."""
        found = []
        for run in reversed(self._store.list()):
            key = _key(run)
            known = self._known.get(run.path)
            if known is None or known[0] != key:
                known = self._known[run.path] = (key, _read(run, running=key[2]))
            found.append(known[1])
        return found


def size_of(path: Path) -> int:
    """Bytes of the files below a directory. Links are not followed; what vanishes meanwhile counts nothing."""
    found = 0
    for folder, _, names in os.walk(path):
        for name in names:
            # A run that is being written to renames and removes files at any time.
            with contextlib.suppress(FileNotFoundError):
                file = Path(folder, name).lstat()
                found += file.st_size if stat.S_ISREG(file.st_mode) else 0
    return found


def settings_alike(entries: Sequence[RunEntry]) -> int:
    """How many settings are the same in all of them."""
    keys = {key for entry in entries for key in entry.settings if key != "name"}
    return len(keys) - len(settings_that_differ(entries))


def settings_that_differ(entries: Sequence[RunEntry]) -> list[tuple[str, tuple[str, ...]]]:
    """(key, its value in each run) of every setting that is not the same in all of them; `–` where a run has none."""
    keys = dict.fromkeys(key for entry in entries for key in entry.settings if key != "name")
    rows = [(key, tuple(entry.settings.get(key, "–") for entry in entries)) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _key(run: RunDirectory) -> tuple[int, int, bool]:
    """What is another once there is something new to read."""
    try:
        journal = run.journal.stat()
    except OSError:
        return 0, 0, run.is_locked()
    return journal.st_mtime_ns, journal.st_size, run.is_locked()


def _read(run: RunDirectory, *, running: bool) -> RunEntry:
    try:
        return entry_of(run.load_state(), run, running=running)
    except ConfigError as error:
        return RunEntry(**_fields(unread_summary(run, error, locked=running)))
    except RecursionError:
        fault = ConfigError(f"{run.journal}: its configuration makes no sense")
        return RunEntry(**_fields(unread_summary(run, fault, locked=running)))


def _fields(summary: RunSummary) -> dict[str, Any]:
    return {field.name: getattr(summary, field.name) for field in fields(summary)}


def _joined(stages: Sequence[str]) -> list[str]:
    """The first and last of several stages."""
    return list(stages) if len(stages) < 3 else [f"{stages[0]} to {stages[-1]}"]


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            found.append((prefix + key, ", ".join(map(_plain, value)) or "none"))
        else:
            found.append((prefix + key, _plain(value)))
    return found


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    """As short as it is written in a configuration: 2e-5, not 2e-05."""
    return f"{value:g}".replace("e-0", "e-")
