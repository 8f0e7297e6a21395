"""What one listener has not taken yet of what a run says: a bounded queue that nobody waits for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from fxtui.protocol.events import Event, ExtractionProgress, ValidationProgress

# Some ten seconds of the quickest training there is: a head of a few numbers, whose epochs take milliseconds.
BOUND = 4096
# Of several such events in a row the last one says it all; folded, they leave the state that it leaves alone. Not
# `batch_end`: each is a point of the training curve, and a curve with fewer would be another one than a replay's.
MERGED = (ExtractionProgress, ValidationProgress)


def replaces(event: type[Event], last: type[Event]) -> bool:
    """Whether an event of the one type makes the one of the other, which came right before it, superfluous."""
    return event is last and event in MERGED


@dataclass(frozen=True, slots=True)
class Taken:
    """What came since the last time, in this order.

    ``missed``: from this number on the events are not here, there were too many; the journal has them, all that are
    here too. ``told`` are events that the journal does not have.
    """

    missed: int | None
    events: list[Event]
    told: list[Event]


class Subscription:
    """A listener's own queue; the engine's threads put events into it, one thread of the listener's takes them out.

    ``next_seq`` is the number of the first event that can come. ``merges``: of progress only the last is wanted.
    ``wake`` is called, by the engine's thread, when something is there to be taken that was not before.
    """

    def __init__(
        self, next_seq: int, *, merges: bool = False, wake: Callable[[], None] | None = None, bound: int = BOUND
    ) -> None:
        self.next_seq = next_seq
        self._merges = merges
        self._wake = wake
        self._bound = bound
        self._events: deque[Event] = deque()
        self._told: deque[Event] = deque(maxlen=bound)
        self._missed: int | None = None
        self._lock = threading.Lock()
        self._came = threading.Condition(self._lock)
        self._waits = False

    def put(self, event: Event) -> None:
        """Queue an event that the journal has already."""
        events = self._events
        with self._lock:
            fresh = not events and self._missed is None
            if self._missed is None:
                if self._merges and events and replaces(type(event), type(events[-1])):
                    events.pop()
                if len(events) < self._bound:
                    events.append(event)
                else:
                    self._missed = events[0].seq
                    events.clear()
            if self._waits:
                self._came.notify()
        if fresh and self._wake is not None:
            self._wake()

    def tell(self, event: Event) -> None:
        """Queue an event that the journal will never have."""
        with self._lock:
            self._told.append(event)
            self._came.notify()
        if self._wake is not None:
            self._wake()

    def take(self) -> Taken:
        """All that came since the last time, without waiting."""
        with self._lock:
            taken = Taken(self._missed, list(self._events), list(self._told))
            self._missed = None
            self._events.clear()
            self._told.clear()
        return taken

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there is something to take; False if there is nothing after ``timeout`` seconds."""
        with self._lock:
            self._waits = True
            try:
                return self._came.wait_for(lambda: self.has_some, timeout)
            finally:
                self._waits = False

    @property
    def has_some(self) -> bool:
        """Whether there is something to take."""
        return bool(self._events or self._told or self._missed is not None)
