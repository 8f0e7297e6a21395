"""Following a session to its end from the main thread, be it printed as lines or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fxtui.cli.following.signals import StopSignals
from fxtui.cli.sessions import discard
from fxtui.protocol.events import Event, RunFinished
from fxtui.run.session.local import LocalSession

# Python runs signal handlers between two waits, and a dead engine is noticed.
_POLL_SECONDS = 0.2


def follow(session: LocalSession, show: Callable[[Event], None], say: Callable[[str], None]) -> int:
    """Start a session, hand every event to ``show`` and what happens besides to ``say``; returns the exit status.

    A run that a wrong configuration ended leaves nothing behind.
    """
    finished: RunFinished | None = None
    with StopSignals(session) as interrupts:
        session.start()
        for event in _events(session, lambda: _tell(interrupts, say)):
            finished = event if isinstance(event, RunFinished) else finished
            show(event)
        session.join()
        _tell(interrupts, say)
    return conclude(session, finished, say)


def conclude(session: LocalSession, finished: RunFinished | None, say: Callable[[str], None]) -> int:
    """The exit status of an ended run, said where it is not plain from its lines."""
    if finished is None:
        say(f"the engine ended without a result; its journal is {session.run.journal}")
        return 1
    if finished.exit_status == 2:
        say(finished.reason)
        if not session.continued:
            discard(session.run)
    return finished.exit_status


def _events(session: LocalSession, between: Callable[[], None]) -> Iterator[Event]:
    while session.alive:
        if event := session.wait_event(_POLL_SECONDS):
            yield event
        if isinstance(event, RunFinished):
            return
        between()
    yield from session.events()


def _tell(interrupts: StopSignals, say: Callable[[str], None]) -> None:
    if text := interrupts.news():
        say(text)
