"""What a session is to a view, which shows a run and sends commands, and to the engine, which does the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fxtui.protocol.commands import AddEpochs, AnyCommand, SetTrainable, UnfreezeNext
from fxtui.protocol.events import Event
from fxtui.run.session.link import EngineLink
from fxtui.run.store import RunDirectory


@dataclass(frozen=True, slots=True)
class Standing:
    """How a view stands to its run.

    ``elsewhere``: the engine is in another process, so that leaving the view is nothing to it. ``trouble`` says why
    nothing may be heard of it, such as ``stopped``; empty where all is well. ``viewers`` watch it, this one among them.
    ``read_only``: nothing can be changed from here. ``takes_up``: a command that trains on makes an ended run go on.
    """

    elsewhere: bool = False
    trouble: str = ""
    viewers: int = 1
    read_only: bool = False
    takes_up: bool = False


class Session(Protocol):
    """What a view needs of a run, be it in this process or elsewhere."""

    @property
    def run(self) -> RunDirectory:
        """The run's directory."""

    @property
    def alive(self) -> bool:
        """Whether more events may come."""

    @property
    def standing(self) -> Standing:
        """How the view stands to the run, now."""

    def events(self) -> list[Event]:
        """The events since the last call, in order, without waiting; in slices if that was long ago."""

    def send(self, command: AnyCommand) -> None:
        """Queue a command; an event will answer it."""


Engine = Callable[[EngineLink], None]
# Answers a command after the engine has ended; raises ConfigError where it cannot.
AfterEngine = Callable[[AnyCommand], list[Event]]


def trains_on(command: AnyCommand) -> bool:
    """Whether a run that has done its epochs trains more for it."""
    match command:
        case AddEpochs(n=n):
            return n > 0
        case SetTrainable(value=value):
            return value
        case _:
            return isinstance(command, UnfreezeNext)
