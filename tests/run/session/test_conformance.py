"""What every session does, be it in this process, elsewhere with or without a socket, or the tests' stand-in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.session.session import Session
from fxtui.run.state import fold
from fxtui.run.store import RunDirectory
from tests.run.samples import opening, trained
from tests.run.session.scripted import FINISHED, ScriptedRun, attached, made, scripted, until
from tests.tui.fake import FakeSession


@dataclass
class Case:
    """A session, and the engine behind it; ``steers``: what is sent comes to that engine."""

    session: Session
    say: Callable[..., None]
    run: RunDirectory
    steers: bool = True
    taken: Callable[[], list[cmd.AnyCommand]] = list


@contextlib.contextmanager
def local(folder: Path) -> Iterator[Case]:
    with scripted(folder) as running:
        yield Case(running.session, running.say, running.run, taken=lambda: running.taken)


@contextlib.contextmanager
def elsewhere(folder: Path) -> Iterator[Case]:
    with scripted(folder) as running, attached(running.run) as session:
        assert session.take_past(30) is not None
        yield Case(session, running.say, running.run, taken=lambda: running.taken)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[Case]:
    with scripted(folder) as running, attached(running.run, read_only=True) as session:
        assert session.take_past(30) is not None
        yield Case(session, running.say, running.run, steers=False)


@contextlib.contextmanager
def by_journal(folder: Path) -> Iterator[Case]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fxtui.run.session.attached.read_address", lambda _run: None)
        patch.setattr("fxtui.run.session.liveness.read_address", lambda _run: None)
        patch.setattr("fxtui.run.session.attached._REACH_SECONDS", 0.1)
        running = ScriptedRun(made(folder))
        running.session.start()
        with attached(running.run) as session:
            assert session.take_past(30) is not None
            yield Case(session, running.say, running.run, steers=False)
        running.end()


@contextlib.contextmanager
def stand_in(folder: Path) -> Iterator[Case]:
    session = FakeSession(root=folder)

    def say(*events: ev.Event) -> None:
        for event in events:
            session.say(event)
            session.alive = not isinstance(event, ev.RunFinished)

    yield Case(session, say, session.run, taken=lambda: session.sent)


CASES = [local, elsewhere, read_only, by_journal, stand_in]


@pytest.fixture(params=CASES, ids=[case.__name__ for case in CASES])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    opened: Callable[[Path], AbstractContextManager[Case]] = request.param
    with opened(tmp_path) as found:
        yield found


def heard(case: Case, count: int) -> list[ev.Event]:
    """So many events, as they come."""
    got: list[ev.Event] = []

    def enough() -> bool:
        got.extend(case.session.events())
        return len(got) >= count

    until(enough)
    return got


def test_its_run_is_the_directory(case: Case) -> None:
    assert case.session.run == case.run


def test_at_rest_there_is_nothing_and_nobody_waits(case: Case) -> None:
    assert case.session.events() == []
    assert case.session.alive


def test_what_is_said_comes_once_in_order_numbered_and_stamped(case: Case) -> None:
    words = [*trained(1, 0.8), *trained(2, 0.9, best=True)]
    case.say(*words)
    got = heard(case, len(words))
    assert [type(event) for event in got] == [type(event) for event in words]
    assert [event.seq for event in got] == list(range(len(words)))
    assert all(event.t > 0 for event in got)
    assert case.session.events() == []


def test_a_run_begun_is_folded_from_its_events(case: Case) -> None:
    # Of three progress events in a row, the last may be all that comes.
    case.say(*(event for event in opening() if not isinstance(event, ev.ExtractionProgress)))
    state = fold(heard(case, len(opening()) - 3))
    assert state.model is not None
    assert state.phase == "training"


def test_a_command_is_taken_or_refused_and_nothing_raises(case: Case) -> None:
    case.say(*trained(1, 0.9)[:1])
    heard(case, 1)
    case.session.send(cmd.AddEpochs(n=3))
    if case.steers:
        until(lambda: len(case.taken()) == 1)
        (taken,) = case.taken()
        assert isinstance(taken, cmd.AddEpochs)
        assert taken.n == 3
    else:
        (refusal,) = heard(case, 1)
        assert isinstance(refusal, ev.CommandRefused)
        assert refusal.command == "add_epochs"
        assert case.taken() == []


def test_the_last_event_ends_it(case: Case) -> None:
    case.say(*trained(1, 0.9), FINISHED)
    assert isinstance(heard(case, len(trained(1, 0.9)) + 1)[-1], ev.RunFinished)
    until(lambda: not case.session.alive)
    assert case.session.events() == []


def test_after_the_end_a_question_is_still_answered(case: Case) -> None:
    case.say(FINISHED)
    heard(case, 1)
    until(lambda: not case.session.alive)
    case.session.send(cmd.Pause())
    if isinstance(case.session, FakeSession):
        return
    (refusal,) = heard(case, 1)
    assert isinstance(refusal, ev.CommandRefused)
