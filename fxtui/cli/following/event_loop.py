"""The loop over a session's events in the main thread, be they printed as lines or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fxtui.cli.following.exit_status import conclude
from fxtui.cli.following.signals import StopSignals
from fxtui.cli.following.watching import watching
from fxtui.protocol.events import Event, RunFinished
from fxtui.run.session.local import LocalSession

# Python runs signal handlers between two waits, and a dead engine is noticed.
_POLL_SECONDS = 0.2


def follow_events(session: LocalSession, show: Callable[[Event], None], say: Callable[[str], None]) -> int:
    """Start a session, hand every event to ``show`` and what happens besides to ``say``; returns the exit status.

    Meanwhile the run is watched, and its user told, as its configuration has it.

    A run that a wrong configuration ended leaves nothing behind.
    """
    with StopSignals(session) as signals, watching(session, say) as watch:

        def take(event: Event) -> None:
            watch(event)
            show(event)

        session.start()
        finished = watch_to_the_end(session, signals, take, say)
    return conclude(session, finished, say)


def watch_to_the_end(
    session: LocalSession, signals: StopSignals, show: Callable[[Event], None], say: Callable[[str], None]
) -> RunFinished | None:
    """Hand every event of a session that is under way to ``show``; returns the last one, if it was said."""
    finished: RunFinished | None = None
    for event in _events(session, lambda: _tell(signals, say)):
        finished = event if isinstance(event, RunFinished) else finished
        show(event)
    session.join()
    _tell(signals, say)
    return finished


def _events(session: LocalSession, between: Callable[[], None]) -> Iterator[Event]:
    while session.alive:
        if event := session.wait_event(_POLL_SECONDS):
            yield event
        if isinstance(event, RunFinished):
            return
        between()
    while events := session.events():
        yield from events


def _tell(signals: StopSignals, say: Callable[[str], None]) -> None:
    if text := signals.news():
        say(text)
