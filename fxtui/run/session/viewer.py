"""One connection to a run's control socket as the engine's side sees it: what it sent, what is to be sent to it."""

from __future__ import annotations

import contextlib
import socket
from collections import deque

from fxtui.protocol.events import Event
from fxtui.run.session.subscription import replaces
from fxtui.run.session.wire import LONGEST_COMMAND, LONGEST_EVENT, LineBuffer, Missed, line_of

_READ = 1 << 16
# Lines and bytes that wait for one reader. Those of several readers are the same objects.
_LINES = 2048
_BYTES = 2 << 20
_MESSAGES = 256


class Outbox:
    """Lines for one reader. Where they become too many, events are dropped and it is told from which on it lacks them.

    What is no event, such as an answer that is not in the journal, is not dropped.
    """

    def __init__(self) -> None:
        self._events: deque[tuple[type[Event], int, bytes]] = deque()
        self._messages: deque[bytes] = deque()
        self._sending = memoryview(b"")
        self._bytes = 0
        self._missed: int | None = None

    def __bool__(self) -> bool:
        return bool(self._sending or self._messages or self._events or self._missed is not None)

    @property
    def too_full(self) -> bool:
        """Whether more waits than a reader that reads ever lets wait."""
        return len(self._messages) > _MESSAGES

    def put(self, event: type[Event], seq: int, line: bytes) -> None:
        """An event of this type, with its number and its line."""
        if self._missed is not None:
            return
        if self._events and replaces(event, self._events[-1][0]):
            self._bytes -= len(self._events.pop()[2])
        if len(line) > LONGEST_EVENT or len(self._events) >= _LINES or self._bytes + len(line) > _BYTES:
            self.miss(seq)
            return
        self._events.append((event, seq, line))
        self._bytes += len(line)

    def miss(self, seq: int) -> None:
        """Tell it that it does not get the events that wait, nor the one with this number; that those after it come."""
        if self._missed is None:
            self._missed = self._events[0][1] if self._events else seq
        self._events.clear()
        self._bytes = 0

    def tell(self, line: bytes) -> None:
        """Something that is no event of the journal's."""
        self._messages.append(line)

    def next_bytes(self) -> memoryview:
        """What is to be sent next; empty if there is nothing."""
        if not self._sending:
            if self._messages:
                self._sending = memoryview(self._messages.popleft())
            elif self._missed is not None:
                self._sending = memoryview(line_of(Missed(since=self._missed)))
                self._missed = None
            elif self._events:
                line = self._events.popleft()[2]
                self._bytes -= len(line)
                self._sending = memoryview(line)
        return self._sending

    def sent(self, count: int) -> None:
        """So much of it has been sent."""
        self._sending = self._sending[count:]


class Viewer:
    """A process at the other end. ``moved`` is when it last took or gave something, by the monotonic clock."""

    def __init__(self, connection: socket.socket, now: float) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.outbox = Outbox()
        self.subscribed = False
        self.watches = False
        self.moved = now
        self._inbox = LineBuffer(LONGEST_COMMAND)

    def read(self, now: float) -> list[bytes] | None:
        """The lines that came; None if it has left.

        Raises:
            LineTooLongError: it sends a line without an end.
        """
        try:
            data = self.connection.recv(_READ)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        lines = self._inbox.feed(data)
        # Half a line after the other is no sign of life.
        self.moved = now if lines else self.moved
        return lines

    def write(self, now: float) -> bool:
        """Send what it takes now; False if it has left."""
        try:
            # So much in a turn that no reader keeps the others waiting.
            for _ in range(_LINES):
                if not (data := self.outbox.next_bytes()):
                    break
                self.outbox.sent(self.connection.send(data))
                self.moved = now
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self.connection.close()
