"""A local session: events out in order, commands in, the lock for its time."""

from __future__ import annotations

import json
import queue
import threading
from pathlib import Path

import pytest

from fxtui.config import parse_config
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.journal import read_journal
from fxtui.run.session.link import EngineLink, refuse_rest
from fxtui.run.session.local import LocalSession
from fxtui.run.store import RunDirectory, RunLockedError, RunStore

FINISHED = ev.RunFinished(status="finished", best=None, final=None, timings={})


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunStore(tmp_path).create(parse_config({"data": {"source": "digits"}}, []))


def drain(session: LocalSession) -> list[ev.Event]:
    """All events of a session, which must end."""
    session.join(timeout=30)
    assert not session.alive
    return session.events()


def test_events_arrive_in_order_stamped_and_are_in_the_journal(run: RunDirectory) -> None:
    def engine(link: EngineLink) -> None:
        for number in range(100):
            link.emit(ev.RunWarning(text=str(number)))
        link.emit(FINISHED)

    session = LocalSession(run, engine)
    session.start()
    events = drain(session)
    assert [event.seq for event in events] == list(range(101))
    assert [event.t for event in events] == sorted(event.t for event in events)
    assert events[0].t > 0
    assert list(read_journal(run.journal)) == events


def test_events_from_several_threads_are_numbered_without_gaps(run: RunDirectory) -> None:
    def engine(link: EngineLink) -> None:
        threads = [
            threading.Thread(target=lambda: [link.emit(ev.Output(text="x")) for _ in range(200)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    session = LocalSession(run, engine)
    session.start()
    assert [event.seq for event in drain(session)] == list(range(800))
    assert [event.seq for event in read_journal(run.journal)] == list(range(800))


def test_nothing_comes_after_the_end_and_the_summary_is_there(run: RunDirectory) -> None:
    def engine(link: EngineLink) -> None:
        assert not link.closed
        link.emit(FINISHED)
        assert link.closed
        link.emit(ev.RunWarning(text="too late"))

    session = LocalSession(run, engine)
    session.start()
    assert [type(event) for event in drain(session)] == [ev.RunFinished]
    assert len(list(read_journal(run.journal))) == 1
    assert json.loads(run.summary.read_bytes())["status"] == "finished"


def test_commands_reach_the_engine_in_order(run: RunDirectory) -> None:
    taken: queue.SimpleQueue[cmd.AnyCommand] = queue.SimpleQueue()

    def engine(link: EngineLink) -> None:
        while not isinstance(command := link.next_command(timeout=None), cmd.Stop):
            assert command is not None
            taken.put(command)
        assert not link.has_command()
        assert link.next_command() is None
        assert link.next_command(timeout=0.01) is None

    session = LocalSession(run, engine)
    session.start()
    sent = [cmd.Pause(), cmd.SetLr(lr=0.1), cmd.Resume()]
    for command in sent:
        session.send(command)
    session.send(cmd.Stop())
    drain(session)
    assert [taken.get_nowait() for _ in sent] == sent


def test_a_command_sent_before_the_start_waits(run: RunDirectory) -> None:
    def engine(link: EngineLink) -> None:
        assert link.has_command()
        link.emit(ev.CommandDone(command=link.next_command().name, text="done"))  # type: ignore[union-attr]

    session = LocalSession(run, engine)
    session.send(cmd.FreezeAll())
    session.start()
    assert [event.command for event in drain(session) if isinstance(event, ev.CommandDone)] == ["freeze_all"]


def test_commands_that_wait_at_the_end_are_refused_each(run: RunDirectory) -> None:
    session = LocalSession(run, lambda link: refuse_rest(link, "the run is over"))
    session.send(cmd.Undo())
    session.send(cmd.Checkpoint())
    session.start()
    assert [(e.command, e.reason) for e in drain(session) if isinstance(e, ev.CommandRefused)] == [
        ("undo", "the run is over"),
        ("checkpoint", "the run is over"),
    ]


def test_waiting_for_an_event_wakes_up_and_gives_up(run: RunDirectory) -> None:
    gate = threading.Event()

    def engine(link: EngineLink) -> None:
        gate.wait(30)
        link.emit(ev.RunWarning(text="now"))

    session = LocalSession(run, engine)
    session.start()
    assert session.wait_event(timeout=0.01) is None
    gate.set()
    event = session.wait_event(timeout=30)
    assert isinstance(event, ev.RunWarning)
    drain(session)


def test_the_run_is_locked_for_the_life_of_the_session(run: RunDirectory) -> None:
    gate = threading.Event()
    session = LocalSession(run, lambda _link: assert_set(gate))
    assert session.run == run
    session.start()
    with pytest.raises(RunLockedError):
        LocalSession(run, lambda _link: None)
    gate.set()
    drain(session)
    assert not run.is_locked()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_that_breaks_gives_the_lock_back_is_told_of_and_leaves_no_end(run: RunDirectory) -> None:
    def engine(link: EngineLink) -> None:
        link.emit(ev.RunWarning(text="before"))
        raise RuntimeError("broken")

    session = LocalSession(run, engine)
    session.start()
    said, end = drain(session)
    assert isinstance(said, ev.RunWarning)
    assert isinstance(end, ev.RunFinished)
    assert (end.status, end.exit_status) == ("failed", 1)
    assert end.reason == "the engine ended without a result: RuntimeError"
    assert list(read_journal(run.journal)) == [said]
    assert not run.is_locked()
    assert not run.summary.exists()


def test_a_session_that_continues_a_journal_numbers_on(run: RunDirectory) -> None:
    for _ in range(2):
        session = LocalSession(run, lambda link: link.emit(ev.RunWarning(text="x")))
        session.start()
        drain(session)
    assert [event.seq for event in read_journal(run.journal)] == [0, 1]


def assert_set(gate: threading.Event) -> None:
    """Wait until the test opens the gate."""
    assert gate.wait(30)


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), RuntimeError("can't start new thread")])
def test_without_a_file_or_a_thread_to_spare_a_run_goes_on_without_a_socket(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(_server: object) -> None:
        raise error

    monkeypatch.setattr("fxtui.run.session.control.ControlServer.start", fails)
    session = LocalSession(run, lambda link: link.emit(FINISHED))
    session.start()
    warning, _ = drain(session)
    assert isinstance(warning, ev.RunWarning)
    assert warning.text.startswith("no control socket")


def test_nobody_listens_any_more_and_nothing_is_kept(run: RunDirectory) -> None:
    session = LocalSession(run, lambda link: link.emit(FINISHED))
    session.stop_listening()
    session.start()
    assert drain(session) == []
