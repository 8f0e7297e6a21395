"""What the dashboard is given of a run of this process: its user is told of it, and once it has ended it can go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from fxtui.protocol.commands import AnyCommand
from fxtui.protocol.events import Event
from fxtui.run.session.local import LocalSession
from fxtui.run.session.session import Standing, trains_on
from fxtui.run.store import RunDirectory

if TYPE_CHECKING:
    from fxtui.run.session.attached import AttachedSession


class OwnRun:
    """A session whose events are handed to ``watch``, too, as the dashboard takes them.

    A command that trains on makes a run that has ended go on in a process of its own; from then on it is watched there.
    """

    def __init__(self, session: LocalSession, watch: Callable[[Event], None]) -> None:
        self._session = session
        self._watch = watch
        self._elsewhere: AttachedSession | None = None

    @property
    def run(self) -> RunDirectory:
        """The run's directory."""
        return self._session.run

    @property
    def alive(self) -> bool:
        """Whether more events may come."""
        return self._elsewhere.alive if self._elsewhere else self._session.alive

    @property
    def standing(self) -> Standing:
        """How the dashboard stands to the run."""
        return self._elsewhere.standing if self._elsewhere else replace(self._session.standing, takes_up=True)

    @property
    def goes_on_elsewhere(self) -> bool:
        """Whether it was taken up by another process, and has not ended there."""
        return self._elsewhere is not None and self._elsewhere.alive

    def events(self) -> list[Event]:
        """The events since the last call, in order, without waiting."""
        events = self._session.events()
        for event in events:
            self._watch(event)
        return [*events, *self._elsewhere.events()] if self._elsewhere else events

    def send(self, command: AnyCommand) -> None:
        """Put a command to the engine, to that of this process or to the one that has taken its place."""
        if self._elsewhere is None and self._session.ended and trains_on(command):
            # Few runs are taken up; the dashboard need not wait for it at the start.
            from fxtui.cli.following.attached import take_up
            from fxtui.run.session.attached import AttachedSession

            # What was before is known here, so only what comes is wanted.
            self._elsewhere = AttachedSession(self.run, history=False, take_up=take_up)
            self._elsewhere.start()
        (self._elsewhere or self._session).send(command)

    def close(self) -> None:
        """Leave a run that was taken up elsewhere. It does not notice."""
        if self._elsewhere:
            self._elsewhere.close()
