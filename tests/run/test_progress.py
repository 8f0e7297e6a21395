"""A journal read for how far the run is: the same as the whole, but for what no list tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxtui.config import ConfigError, parse_config
from fxtui.protocol import events as ev
from fxtui.run.journal import JournalWriter
from fxtui.run.progress import ProgressReader
from fxtui.run.state import RunState, fold
from fxtui.run.store import RunDirectory, RunStore
from tests.run.samples import going_on, opening, stamped, trained, unfreezing, whole_run

TOLD = (
    "name", "started", "updated", "seq", "pid", "phase", "reason", "epochs_planned", "model", "batch",
    "epochs", "best", "estimate", "marks", "commands", "checkpoints", "holding", "finished",
    "ended", "elapsed", "step", "seconds_per_epoch", "seconds_left",
)  # fmt: skip
STORIES = {
    "whole": whole_run(),
    "in its second epoch": stamped([*opening(), *trained(1, 0.85, best=True), *trained(2, 0.9)[:2]]),
    "validates": stamped([*opening(), *trained(1, 0.85, best=True), *trained(2, 0.9)[:3]]),
    "unfrozen": stamped([*opening(), *trained(1, 0.8, best=True), *trained(2, 0.9)[:1], unfreezing(1)]),
    "goes on": stamped([*opening(), *trained(1, 0.85, best=True), *trained(2, 0.9), *going_on(2, 25, 5)]),
    "extracts": stamped(opening()[:8]),
}


def make(root: Path, events: list[ev.Event]) -> RunDirectory:
    run = RunStore(root).create(parse_config({"name": "x", "data": {"source": "digits"}}, []))
    with JournalWriter(run.journal) as journal:
        for event in events:
            journal.append(event)
    return run


def told(state: RunState) -> dict[str, object]:
    return {name: getattr(state, name) for name in TOLD}


@pytest.mark.parametrize("events", STORIES.values(), ids=STORIES)
def test_it_tells_what_the_whole_journal_tells(tmp_path: Path, events: list[ev.Event]) -> None:
    assert told(ProgressReader(make(tmp_path, events)).poll()) == told(fold(events))


def test_it_tells_so_after_every_event(tmp_path: Path) -> None:
    events = STORIES["goes on"]
    run = make(tmp_path, [])
    reader = ProgressReader(run)
    for number, event in enumerate(events, start=1):
        with JournalWriter(run.journal) as journal:
            journal.append(event)
        assert told(reader.poll()) == told(fold(events[:number]))


def test_batches_are_passed_over(tmp_path: Path) -> None:
    batches = [
        ev.BatchEnd(epoch=1, step=n, batch=n, batches=900, loss=1.0, accuracy=0.5, lr=1e-3) for n in range(1, 801)
    ]
    state = ProgressReader(make(tmp_path, stamped([*opening(), *batches]))).poll()
    assert state.step == 800
    assert len(state.series) == 1


@pytest.mark.parametrize("line", [b"nonsense\n", b'{"type":"batch_end"\n', b'{"type":"epoch_end"}\n'])
def test_a_damaged_line_is_said(tmp_path: Path, line: bytes) -> None:
    run = make(tmp_path, whole_run())
    first, *rest = run.journal.read_bytes().splitlines(keepends=True)
    run.journal.write_bytes(b"".join([first, line, *rest]))
    with pytest.raises(ConfigError, match=r"events\.jsonl.*: not an event"):
        ProgressReader(run).poll()
