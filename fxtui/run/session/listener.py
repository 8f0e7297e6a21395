"""One listener in the engine's process: it hears from its queue, and from the journal where that overflowed."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator

from fxtui.protocol.events import Event
from fxtui.run.session.link import EngineLink
from fxtui.run.session.once import EachOnce, end_of

# Events that are taken out of the journal at once.
_SLICE = 5000


class Listener:
    """Hears a run from now on; belongs to one thread. One that was too slow is given the rest in slices."""

    def __init__(self, link: EngineLink) -> None:
        self._link = link
        self._said = link.subscribe()
        self._once = EachOnce(link.run.journal, *end_of(link.run.journal))
        self._behind: Iterator[Event] | None = None
        self._heard: list[Event] = []
        self._told: list[Event] = []
        self._ready: deque[Event] = deque()

    def events(self) -> list[Event]:
        """The events since the last call, in order, without waiting."""
        self._take()
        events = list(self._ready)
        self._ready.clear()
        return events

    def wait_event(self, timeout: float | None = None) -> Event | None:
        """The next event, or None after ``timeout`` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        self._take()
        while not self._ready:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not self._said.wait(left) and left is not None:
                return None
            self._take()
        return self._ready.popleft()

    def close(self) -> None:
        """Hear no more."""
        self._link.unsubscribe(self._said)

    def _take(self) -> None:
        while not self._ready:
            if self._behind is not None:
                self._ready.extend(itertools.islice(self._behind, _SLICE))
                if self._ready:
                    return
                self._behind = None
            else:
                taken = self._said.take()
                self._heard, self._told = taken.events, taken.told
                if taken.missed is not None:
                    self._behind = self._once.unread()
                    continue
            self._ready.extend(event for event in self._heard if self._once.is_new(event))
            self._ready.extend(self._told)
            self._heard, self._told = [], []
            if not self._said.has_some:
                return
