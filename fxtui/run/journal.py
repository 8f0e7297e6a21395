"""The journal of a run: one JSON object a line, append only.

A process killed while writing leaves a torn last line. Readers ignore it, and a writer that continues the run cuts it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from fxtui.protocol.encoding import decode, encode
from fxtui.protocol.events import AnyEvent, Event

_CHUNK = 1 << 20


class JournalError(ValueError):
    """A line in the middle of a journal is damaged."""


class JournalWriter:
    """Appends events to a journal; a torn last line is cut on opening.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.next_seq = 0
        if path.exists():
            self.next_seq = _cut_torn_line(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, event: Event) -> None:
        """Write one event. It has reached the operating system when this returns, so a killed process loses none."""
        line = encode(event) + b"\n"
        while line:
            line = line[os.write(self._file, line) :]

    def sync(self) -> None:
        """Wait until all that was appended is on the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Flush to the disk and close. Closing twice is harmless."""
        if self._file >= 0:
            self.sync()
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class JournalReader:
    """Reads a journal and follows it while it grows: each :meth:`poll` yields the complete events written since.

    ``offset`` is where to begin: the start of a line, in bytes. ``pass_over`` is asked of every line before it is
    decoded; where it says so, the line is left out.
    """

    def __init__(self, path: Path, offset: int = 0, pass_over: Callable[[bytes], bool] = lambda _line: False) -> None:
        self._path = path
        self._pass_over = pass_over
        self._offset = offset
        self._line = 0

    @property
    def offset(self) -> int:
        """How many bytes have been read."""
        return self._offset

    def poll(self) -> Iterator[AnyEvent]:
        """The events appended since the last poll. Unknown types are skipped, an incomplete last line waits.

        Raises:
            FileNotFoundError: there is no journal.
            JournalError: a complete line is not an event.
        """
        rest = b""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            while chunk := file.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._line += 1
                    self._offset += len(line) + 1
                    if line and not self._pass_over(line) and (event := self._decode(line)) is not None:
                        yield event

    def _decode(self, line: bytes) -> AnyEvent | None:
        try:
            return decode(line)
        except msgspec.DecodeError as error:
            raise JournalError(f"{self._path}:{self._line}: not an event: {error}") from None


def read_journal(path: Path) -> Iterator[AnyEvent]:
    """All complete events of a journal, in order. See :meth:`JournalReader.poll` for what it raises."""
    return JournalReader(path).poll()


def _cut_torn_line(path: Path) -> int:
    """Truncate after the last complete line and return the sequence number that follows."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        tail, start = b"", size
        while start and tail.count(b"\n") < 2:
            step = min(_CHUNK, start)
            start -= step
            file.seek(start)
            tail = file.read(step) + tail
        complete = tail.rfind(b"\n") + 1
        file.truncate(start + complete)
        last = tail[:complete].rstrip(b"\n").rpartition(b"\n")[2]
    return msgspec.json.decode(last, type=_Seq).seq + 1 if last else 0


class _Seq(msgspec.Struct):
    seq: int = -1
