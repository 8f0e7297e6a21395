"""Runs on disk without an engine, and what a command printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxtui.config import parse_config
from fxtui.protocol import events as ev
from fxtui.run.journal import JournalWriter
from fxtui.run.state import fold
from fxtui.run.store import RunDirectory, RunStore
from fxtui.run.summary import write_summary
from tests.run.samples import opening, stamped, trained


def record(runs: Path, name: str, events: list[ev.Event]) -> RunDirectory:
    """A run on disk with these events, its summary written if it has ended."""
    run = RunStore(runs).create(parse_config({"name": name, "data": {"source": "digits"}}, []))
    with JournalWriter(run.journal) as journal:
        for event in events:
            journal.append(event)
    if any(isinstance(event, ev.RunFinished) for event in events):
        write_summary(run, fold(events))
    return run


def half() -> list[ev.Event]:
    """A run that was killed in its second epoch."""
    return stamped([*opening(), *trained(1, 0.85, best=True), *trained(2, 0.9)[:2]])


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()
