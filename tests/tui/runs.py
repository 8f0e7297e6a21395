"""Runs on disk as the store writes them, without an engine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from fxtui.config import load_config
from fxtui.protocol import events as ev
from fxtui.run.journal import JournalWriter
from fxtui.run.store import RunDirectory, RunStore
from fxtui.run.summary import write_summary
from tests.tui.fake import START, beginning, epoch_end, finished, thaw


def write_run(
    root: Path, name: str, events: Iterable[ev.Event], *, at: float = START, lr: float = 1e-3
) -> RunDirectory:
    """A run whose journal holds these events, one second apart."""
    root.mkdir(parents=True, exist_ok=True)
    config = root / f"{name}.toml"
    config.write_text(f'name = "{name}"\n[data]\nsource = "digits"\n[train]\nlr = {lr}\n', encoding="utf-8")
    run = RunStore(root / "runs").create(load_config(config, []), at)
    journal = JournalWriter(run.journal)
    for number, event in enumerate(events):
        if isinstance(event, ev.RunStarted):
            event = msgspec.structs.replace(event, name=run.name, config={"train": {"lr": lr}, "seed": 0})
        journal.append(msgspec.structs.replace(event, t=at + number, seq=number))
    journal.close()
    state = run.load_state()
    if state.finished:
        write_summary(run, state)
    os.utime(run.config, (at, at))
    return run


def some_runs(root: Path) -> list[RunDirectory]:
    """A finished run, one stopped with a layer thawed, one that failed, and one that was killed; the oldest first."""
    epochs = [epoch_end(number, best=number != 3) for number in range(1, 7)]
    return [
        write_run(root, "first", [*beginning(), *epochs[:4], finished()], at=START - 4000, lr=3e-3),
        write_run(
            root, "second", [*beginning(), *epochs[:4], thaw(), *epochs[4:], finished("stopped")], at=START - 3000
        ),
        write_run(root, "third", [*beginning(), *epochs[:1], finished("failed", "loss is NaN")], at=START - 2000),
        write_run(root, "fourth", [*beginning(), *epochs[:2]], at=START - 1000),
    ]
