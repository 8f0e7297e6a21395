"""A connection to the engine of a run elsewhere, over its control socket."""

from __future__ import annotations

import contextlib
import select
import socket
import time

import msgspec

from fxtui.protocol.commands import AnyCommand
from fxtui.protocol.events import AnyEvent
from fxtui.run.session.address import is_users
from fxtui.run.session.wire import (
    LONGEST_EVENT,
    Heartbeat,
    Hello,
    LineBuffer,
    LineTooLongError,
    Message,
    Missed,
    Order,
    Subscribe,
    from_engine,
    line_of,
)

_READ = 1 << 16
_GREETING_SECONDS = 1.0
_SENDING_SECONDS = 2.0


class EngineGoneError(ConnectionError):
    """There is no engine at the other end, or none that can be understood."""


class EngineConnection:
    """Connects to a socket, at which the engine of the run in the directory with this ``inode`` must answer.

    Raises:
        EngineGoneError: it does not.
    """

    def __init__(self, path: str, inode: int) -> None:
        self._lines = LineBuffer(LONGEST_EVENT + _READ)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._early: list[bytes] = []
        try:
            self._socket.settimeout(_GREETING_SECONDS)
            self._socket.connect(path)
            if not is_users(self._socket):
                raise EngineGoneError("another user's")
            self.hello = self._greeted(inode)
            self._socket.settimeout(_SENDING_SECONDS)
        except (OSError, ValueError) as error:
            self.close()
            why = "no right to its control socket" if isinstance(error, PermissionError) else str(error)
            raise EngineGoneError(why) from None

    def fileno(self) -> int:
        """What to wait for."""
        return self._socket.fileno()

    def subscribe(self, since: int | None, *, viewer: bool) -> None:
        """Ask for the events from a number on. Raises EngineGoneError."""
        self._send(Subscribe(since=since, viewer=viewer))

    def order(self, command: AnyCommand) -> None:
        """Put a command to the engine. Raises EngineGoneError."""
        self._send(Order(command=command))

    def read(self) -> list[AnyEvent | Heartbeat | Missed]:
        """What has come; to be called when there is something.

        Raises:
            EngineGoneError: it hung up, or what came is not what an engine says.
        """
        try:
            lines, self._early = self._early, []
            if not lines:
                data = self._socket.recv(_READ)
                if not data:
                    raise EngineGoneError("it hung up")
                lines = self._lines.feed(data)
            said = [from_engine(line) for line in lines]
        except (OSError, LineTooLongError, msgspec.DecodeError, UnicodeError) as error:
            raise EngineGoneError(str(error)) from None
        return [it for it in said if it is not None and not isinstance(it, Hello)]

    @property
    def has_early(self) -> bool:
        """Whether something has come that no waiting will announce."""
        return bool(self._early)

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _greeted(self, inode: int) -> Hello:
        end = time.monotonic() + _GREETING_SECONDS
        lines: list[bytes] = []
        while not lines:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                raise EngineGoneError("it does not answer")
            data = self._socket.recv(_READ)
            if not data:
                raise EngineGoneError("it hung up")
            lines = self._lines.feed(data)
        hello = from_engine(lines[0])
        if not isinstance(hello, Hello) or hello.inode != inode:
            raise EngineGoneError("it is another run's")
        self._early = lines[1:]
        return hello

    def _send(self, message: Message) -> None:
        try:
            self._socket.sendall(line_of(message))
        except OSError as error:
            raise EngineGoneError(str(error)) from None
