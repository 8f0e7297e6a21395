"""Runs whose engine says what a test lets it say, in this process, and others who watch them."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fxtui.config import parse_config
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.session.attached import AttachedSession
from fxtui.run.session.link import EngineLink
from fxtui.run.session.local import LocalSession
from fxtui.run.store import RunDirectory, RunStore

SECONDS = 30.0
FINISHED = ev.RunFinished(status="finished", best=None, final=None, timings={})


def made(folder: Path, name: str = "scripted") -> RunDirectory:
    """A run that has not begun."""
    return RunStore(folder).create(parse_config({"name": name, "data": {"source": "digits"}}, []))


def until(condition: Callable[[], object]) -> None:
    """Wait for what another thread or process does."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


class ScriptedRun:
    """A local session whose engine says what it is given by :meth:`say`, and does every command.

    ``freeze`` commands are refused, so that there is something to be refused.
    """

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self.taken: list[cmd.AnyCommand] = []
        self._words: queue.SimpleQueue[ev.Event] = queue.SimpleQueue()
        self._said = 0
        self.session = LocalSession(run, self._engine)

    def say(self, *events: ev.Event) -> None:
        """Have the engine say this, and wait until it has."""
        goal = self._said + len(events)
        for event in events:
            self._words.put(event)
        until(lambda: self._said >= goal)

    def end(self) -> None:
        """Have the run come to its end, if it has not, and wait for it."""
        if self.session.alive and not self.session.link.closed:
            self.say(FINISHED)
        self.session.join(SECONDS)
        assert not self.session.alive

    def _engine(self, link: EngineLink) -> None:
        while not link.closed:
            with contextlib.suppress(queue.Empty):
                while not link.closed:
                    link.emit(self._words.get(timeout=0.002))
                    self._said += 1
            while (command := link.next_command()) is not None:
                self.taken.append(command)
                who = {"command": command.name, "id": command.id, "client": command.client}
                if isinstance(command, cmd.FreezeAll):
                    link.emit(ev.CommandRefused(reason="only the head trains", **who))
                else:
                    link.emit(ev.CommandDone(text=f"{command.name} done", **who))


@contextlib.contextmanager
def scripted(folder: Path) -> Iterator[ScriptedRun]:
    """A run that has begun, and ends."""
    running = ScriptedRun(made(folder))
    running.session.start()
    try:
        yield running
    finally:
        running.end()


@contextlib.contextmanager
def attached(run: RunDirectory, **how: bool) -> Iterator[AttachedSession]:
    """Somebody who watches a run from elsewhere."""
    session = AttachedSession(run, **how)
    session.start()
    try:
        yield session
    finally:
        session.close()


def answer_to(session: AttachedSession, command: cmd.AnyCommand) -> ev.CommandDone | ev.CommandRefused:
    """Send a command and wait for what answers it."""
    sent = send(session, command)
    while True:
        event = session.wait_event(SECONDS)
        assert event is not None, "no answer"
        if isinstance(event, ev.CommandDone | ev.CommandRefused) and event.id == sent.id:
            return event


def send(session: AttachedSession, command: cmd.AnyCommand) -> cmd.AnyCommand:
    """Send a command; it is returned as it is sent."""
    command = session.stamp(command)
    session.send(command)
    return command
