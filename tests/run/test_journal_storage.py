"""A journal on storage that fails: nothing is torn, nothing lost without a word, and nothing ends."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxtui.bench.faults.inject import SHORT, Call, Fault, Faults
from fxtui.config import ConfigError, parse_config
from fxtui.protocol import events as ev
from fxtui.run import journal as journal_module
from fxtui.run.journal import JournalWriter, read_journal
from fxtui.run.session.link import EngineLink
from fxtui.run.session.local import LocalSession
from fxtui.run.store import RunDirectory, RunStore

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
FINISHED = ev.RunFinished(status="finished", best=None, final=None, timings={})
COUNT = 40


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunStore(tmp_path).create(parse_config({"data": {"source": "digits"}}, []))


def say(link: EngineLink) -> None:
    for number in range(COUNT):
        link.emit(ev.Output(text=str(number)))
    link.emit(FINISHED)


def follow(run: RunDirectory, *faults: Fault) -> list[ev.Event]:
    with Faults(*faults) as storage:
        session = LocalSession(run, say)
        session.start()
        session.join(30)
        events = session.events()
    assert storage.struck
    return events


def warnings(events: list[ev.Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, ev.RunWarning)]


@pytest.mark.parametrize("error", ERRORS)
def test_a_disk_that_is_full_for_a_while_costs_no_line(run: RunDirectory, error: int) -> None:
    events = follow(run, Fault("write", "*/events.jsonl", error, after=5, times=20))
    (text,) = warnings(events)
    assert text == f"events.jsonl cannot be written: {os.strerror(error)}; the run goes on, and it is tried again"
    assert [event.seq for event in events] == list(range(COUNT + 2))
    assert list(read_journal(run.journal)) == events


@pytest.mark.parametrize("error", ERRORS)
def test_a_disk_that_stays_full_keeps_what_was_written_and_tells_who_listens(run: RunDirectory, error: int) -> None:
    events = follow(run, Fault("write", "*/events.jsonl", error, after=5))
    assert len(warnings(events)) == 1
    assert events[-1] == ev.RunFinished(
        status="finished", best=None, final=None, timings={}, t=events[-1].t, seq=COUNT + 1
    )
    assert list(read_journal(run.journal)) == events[:5]
    assert not run.summary.exists()
    assert not run.is_locked()


def test_a_short_write_is_gone_on_with(run: RunDirectory) -> None:
    events = follow(run, Fault("write", "*/events.jsonl", SHORT))
    assert warnings(events) == []
    assert list(read_journal(run.journal)) == events


def test_a_half_written_line_is_taken_back_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    half = (Fault("write", "*.jsonl", SHORT, times=1), Fault("write", "*.jsonl", errno.ENOSPC, times=1))
    with JournalWriter(path) as journal:
        journal.append(ev.RunWarning(text="one", seq=0))
        whole = path.read_bytes()
        with Faults(*half):
            journal.append(ev.RunWarning(text="two", seq=1))
            assert path.read_bytes() == whole
        journal.append(ev.RunWarning(text="three", seq=2))
    assert [event.seq for event in read_journal(path)] == [0, 1, 2]


def test_what_could_not_be_taken_back_at_once_is_before_the_next_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    half = (Fault("write", "*.jsonl", SHORT, times=1), Fault("write", "*.jsonl", errno.EIO, times=1))
    with JournalWriter(path) as journal:
        journal.append(ev.RunWarning(text="one", seq=0))
        with Faults(*half, Fault("ftruncate", "*.jsonl", errno.EIO)):
            journal.append(ev.RunWarning(text="two", seq=1))
            journal.append(ev.RunWarning(text="three", seq=2))
            assert not path.read_bytes().endswith(b"\n")
            assert [event.seq for event in read_journal(path)] == [0]
        journal.append(ev.RunWarning(text="four", seq=3))
    assert [event.seq for event in read_journal(path)] == [0, 1, 2, 3]


@pytest.mark.parametrize("call", ["fsync", "ftruncate", "open"])
def test_other_calls_that_fail_end_nothing(run: RunDirectory, call: Call) -> None:
    run.journal.write_bytes(b'{"type":"warn')
    # The first time, a journal is opened to read where it ends.
    events = follow(run, Fault(call, "*/events.jsonl", errno.EIO, after=int(call == "open"), times=3))
    assert isinstance(events[-1], ev.RunFinished)
    assert list(read_journal(run.journal)) == events


def test_beyond_the_bound_it_is_said_how_many_lines_are_missing(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_MOST_WAITING", 1000)
    events = follow(run, Fault("write", "*/events.jsonl", errno.ENOSPC, after=1, times=25))
    written = list(read_journal(run.journal))
    first, last = warnings(events)
    missing = COUNT + 3 - len(written)
    assert missing > 0
    assert last == f"events.jsonl is not whole: {missing:,} lines are missing before this one"
    assert first in warnings(list(written))
    assert [event.seq for event in written] == sorted({event.seq for event in written})
    assert isinstance(written[-1], ev.RunFinished)
    assert [event.seq for event in events] == list(range(COUNT + 3))


def test_a_line_too_long_to_be_read_again_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with JournalWriter(path) as journal:
        journal.append(ev.RunWarning(text="x" * journal_module.LONGEST_LINE, seq=0))
        assert journal.news() == ["events.jsonl is not whole: a line is missing before this one"]
        journal.append(ev.RunWarning(text="short", seq=1))
    assert [event.seq for event in read_journal(path)] == [1]


def test_a_device_that_is_always_full_ends_no_run(run: RunDirectory) -> None:
    """In earnest: no call is made to fail here."""
    run.journal.symlink_to("/dev/full")
    session = LocalSession(run, say)
    session.start()
    session.join(30)
    events = session.events()
    assert isinstance(events[-1], ev.RunFinished)
    assert len(warnings(events)) == 1
    assert len(events) == COUNT + 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*ERRORS, SHORT]), st.integers(0, 12), st.integers(1, 6)), max_size=6))
def test_whatever_fails_when_the_journal_stays_readable(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[int, int, int]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "events.jsonl"
    faults = [Fault("write", "*.jsonl", error, after, times) for error, after, times in plan]
    faults += [Fault("ftruncate", "*.jsonl", errno.EIO, after, times) for _, after, times in plan[:2]]
    with Faults(*faults), JournalWriter(path) as journal:
        for number in range(20):
            journal.append(ev.RunWarning(text="ü" * number, seq=number))
            assert [event.seq for event in read_journal(path)] == list(range(len(list(read_journal(path)))))
        while not journal.sync():
            pass
    assert [event.seq for event in read_journal(path)] == list(range(20))


def test_a_text_that_is_no_unicode_is_written_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with JournalWriter(path) as journal:
        journal.append(ev.Output(text="caf\udce9.png", seq=0))
    (event,) = read_journal(path)
    assert event == ev.Output(text="caf\\udce9.png", seq=0)


def test_a_journal_that_cannot_be_read_is_not_gone_on_with(run: RunDirectory) -> None:
    run.journal.write_bytes(b"")
    with Faults(Fault("open", "*/events.jsonl", errno.EIO)), pytest.raises(ConfigError, match=r"events\.jsonl: cannot"):
        LocalSession(run, say)
    assert not run.is_locked()
