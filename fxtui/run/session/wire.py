"""What is said over a run's control socket: JSON lines, events and commands as they are, and the few messages here."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from fxtui.protocol.commands import AnyCommand
from fxtui.protocol.encoding import decode
from fxtui.protocol.events import AnyEvent

# Bytes in one line, from the engine and to it. A longer event is read from the journal.
LONGEST_EVENT = 1 << 20
LONGEST_COMMAND = 1 << 16
# Seconds between two signs of life.
HEARTBEAT = 2.0


class Message(Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower):
    """The base of what is neither event nor command."""


class Hello(Message, frozen=True, kw_only=True):
    """The engine's first line: whose socket this is. ``seq`` is that of the last event.

    ``inode`` is that of the run's directory, which a copy of it does not have.
    """

    run: str
    seq: int
    pid: int
    host: str
    version: str
    viewers: int
    inode: int


class Heartbeat(Message, frozen=True, kw_only=True):
    """The engine's process lives."""

    seq: int
    viewers: int


class Missed(Message, frozen=True, kw_only=True, rename={"since": "from"}):
    """Events from this number on do not come over the socket; the journal has them. Later ones come."""

    since: int


class Subscribe(Message, frozen=True, kw_only=True, rename={"since": "from"}):
    """A viewer wants events from this number on, None: from now on; ``viewer``: it counts as somebody who watches."""

    since: int | None = None
    viewer: bool = True


class Order(Message, frozen=True, kw_only=True, tag="command"):
    """A viewer wants something of the engine; the event that answers it has the command's id."""

    command: AnyCommand


class LineTooLongError(ValueError):
    """A line without an end."""


class LineBuffer:
    """Cuts what comes over a socket into lines, of so many bytes each at the most."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = bytearray()

    def __bool__(self) -> bool:
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete with this.

        Raises:
            LineTooLongError: there is one that is longer, or becomes so.
        """
        if b"\n" not in data:
            self._rest += data
            lines: list[bytes] = []
        else:
            *lines, rest = (bytes(self._rest) + data).split(b"\n")
            self._rest = bytearray(rest)
        if max(len(self._rest), *map(len, lines), 0) > self._longest:
            raise LineTooLongError(f"a line of more than {self._longest} bytes")
        return lines


class _Tag(Struct):
    type: str = ""


class _ForeignCommand(Struct):
    type: str = ""
    id: str = ""
    client: str = ""


class _ForeignOrder(Struct, tag_field="type", tag="command"):
    command: _ForeignCommand


_MESSAGES = frozenset(str(kind.__struct_config__.tag) for kind in (Hello, Heartbeat, Missed))
_tags = msgspec.json.Decoder(_Tag)
_from_engine: msgspec.json.Decoder[Hello | Heartbeat | Missed] = msgspec.json.Decoder(Hello | Heartbeat | Missed)
_from_viewer: msgspec.json.Decoder[Subscribe | Order] = msgspec.json.Decoder(Subscribe | Order)
_foreign = msgspec.json.Decoder(_ForeignOrder)


def line_of(message: Message) -> bytes:
    """One line, with its end."""
    return msgspec.json.encode(message) + b"\n"


def fault_of(command: AnyCommand) -> str:
    """Why a command cannot be sent; empty if it can."""
    try:
        length = len(line_of(Order(command=command)))
    except UnicodeEncodeError:
        return f"{command.name}: a name in it is not UTF-8 and cannot be sent"
    if length > LONGEST_COMMAND:
        return f"{command.name}: too long to be sent: {length:,} bytes, at most {LONGEST_COMMAND:,}"
    return ""


def from_engine(line: bytes) -> AnyEvent | Hello | Heartbeat | Missed | None:
    """What the engine said; None if it is of a later version and unknown here.

    Raises:
        msgspec.DecodeError: it is not what an engine says.
    """
    return _from_engine.decode(line) if _tags.decode(line).type in _MESSAGES else decode(line)


def from_viewer(line: bytes) -> Subscribe | Order:
    """What a viewer wants.

    Raises:
        msgspec.DecodeError: it is not what a viewer wants.
    """
    return _from_viewer.decode(line)


def unknown_command(line: bytes) -> tuple[str, str, str] | None:
    """Name, id and client of a command that this version does not know or cannot read; None if it is none at all."""
    try:
        command = _foreign.decode(line).command
    except msgspec.DecodeError:
        return None
    return command.type, command.id, command.client
