"""The journal of a run: one JSON object a line, append only.

A process killed while writing leaves a torn last line. Readers ignore it, and a writer that continues the run cuts it.
What cannot be written ends nothing: a half-written line is taken back, and what waits is written when that works again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from fxtui.protocol import events as ev
from fxtui.protocol.encoding import decode, encode
from fxtui.run.storage import open_private, sync_file

_CHUNK = 1 << 20
# Bytes. A longer line is damage: it would take any amount of memory to find out that it is.
LONGEST_LINE = 16 << 20
# Bytes that wait to be written, at most.
_MOST_WAITING = 8 << 20
# Lines written in between, after which it is said again that the journal cannot be written.
_LINES_BETWEEN = 256
# Seconds since the epoch: the year 10000, beyond which no calendar goes.
LATEST = 253_402_300_800.0
_LARGEST = 2**63
_LONG_NUMBER = re.compile(rb"\d{19}")
# What is left out first where not everything can be kept: others of their kind say nearly the same.
_MINOR = (ev.BatchEnd, ev.ExtractionProgress, ev.LayerFigures, ev.Output, ev.ValidationProgress)


class JournalError(ValueError):
    """A line in the middle of a journal is damaged."""


@dataclass(frozen=True, slots=True)
class _Line:
    data: bytes
    minor: bool


class JournalWriter:
    """Appends events to a journal; a torn last line is cut on opening.

    What cannot be written waits in memory, up to a bound, and beyond it is counted as missing. :meth:`news` says so.

    Raises:
        OSError: the journal is there and cannot be read.
        JournalError: its last line is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        # Where the last whole line ends; beyond it lies at most what is to be taken back.
        self._end, self.next_seq = _last_line(path)
        self._torn = True
        self._waiting: deque[_Line] = deque()
        self._missing = 0
        self._failing = False
        self._steady = _LINES_BETWEEN
        self._news: list[str] = []
        self._drain()

    def append(self, event: ev.Event) -> None:
        """Write one event; with what waits, in order. What has reached the operating system outlives a kill."""
        line = encode(event) + b"\n"
        if len(line) > LONGEST_LINE:
            self._missing += 1
        else:
            self._waiting.append(_Line(line, isinstance(event, _MINOR)))
        self._drain()

    def news(self) -> list[str]:
        """What there is to tell the user since the last call."""
        told, self._news = self._news, []
        return told

    def sync(self) -> bool:
        """Wait until all that was appended is on the disk, as far as that is possible; says whether all is written."""
        self._drain()
        if self._file >= 0:
            with contextlib.suppress(OSError):
                sync_file(self._file)
        return not self._failing

    def close(self) -> None:
        """Flush to the disk and close. Closing twice is harmless."""
        if self._file >= 0:
            self.sync()
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = -1

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _drain(self) -> None:
        """Write what waits, as far as it can be written."""
        try:
            self._open()
            while self._waiting:
                self._write(self._waiting[0].data)
                self._waiting.popleft()
                self._steady += 1
        except OSError as error:
            self._fails(error)
            return
        self._failing = False
        if self._missing:
            lines = "a line is" if self._missing == 1 else f"{self._missing:,} lines are"
            self._news.append(f"{self._path.name} is not whole: {lines} missing before this one")
            self._missing = 0

    def _open(self) -> None:
        if self._file < 0:
            self._file = open_private(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        if self._torn:
            self._take_back()

    def _take_back(self) -> None:
        if os.fstat(self._file).st_size > self._end:
            os.ftruncate(self._file, self._end)
        self._torn = False

    def _write(self, line: bytes) -> None:
        """Write a whole line or nothing of it."""
        rest = memoryview(line)
        try:
            while len(rest):
                written = os.write(self._file, rest)
                if written <= 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                rest = rest[written:]
        except BaseException:
            self._torn = True
            # What cannot be taken back now is before the next line is written.
            with contextlib.suppress(OSError):
                self._take_back()
            raise
        self._end += len(line)

    def _fails(self, error: OSError) -> None:
        if not self._failing and self._steady >= _LINES_BETWEEN:
            self._steady = 0
            why = error.strerror or type(error).__name__
            text = f"{self._path.name} cannot be written: {why}; the run goes on, and it is tried again"
            self._news.append(text)
        self._failing = True
        self._keep_within_bounds()

    def _keep_within_bounds(self) -> None:
        size, count = sum(len(line.data) for line in self._waiting), len(self._waiting)
        if size <= _MOST_WAITING:
            return
        self._waiting = deque(line for line in self._waiting if not line.minor)
        size = sum(len(line.data) for line in self._waiting)
        while size > _MOST_WAITING:
            size -= len(self._waiting.popleft().data)
        self._missing += count - len(self._waiting)


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

    def poll(self) -> Iterator[ev.AnyEvent]:
        """The events appended since the last poll. Unknown types are skipped, an incomplete last line waits.

        Raises:
            FileNotFoundError: there is no journal.
            JournalError: a complete line is not an event, or a line is longer than any that is written.
        """
        kind = stat.S_IFMT(self._path.stat().st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR):
            # A pipe would keep who reads it waiting for ever.
            raise JournalError(f"{self._path}: not a file")
        rest = b""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            while chunk := file.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._line += 1
                    self._offset += len(line) + 1
                    if line and not self._pass_over(line) and (event := self.decode_line(line)) is not None:
                        yield event
                if len(rest) > LONGEST_LINE:
                    raise JournalError(f"{self._path}:{self._line + 1}: not an event: longer than any that is written")

    def decode_line(self, line: bytes) -> ev.AnyEvent | None:
        """The event of the line last read; None for an unknown type.

        Raises:
            JournalError: it is not an event, or its figures cannot be reckoned with.
        """
        try:
            event = decode(line)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise JournalError(f"{self._path}:{self._line}: not an event: {printable(str(error))}") from None
        if event is not None and not _plausible(event, line):
            raise JournalError(f"{self._path}:{self._line}: not an event: a figure is beyond all bounds")
        return event


def read_journal(path: Path) -> Iterator[ev.AnyEvent]:
    """All complete events of a journal, in order. See :meth:`JournalReader.poll` for what it raises."""
    return JournalReader(path).poll()


def printable(text: str) -> str:
    """What was found in a file as one line that does nothing to a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:500])


def _plausible(event: ev.AnyEvent, line: bytes) -> bool:
    """Whether one can reckon with the figures of an event."""
    if not (0 <= event.t < LATEST and -1 <= event.seq < _LARGEST):
        return False
    if isinstance(event, ev.BatchEnd) and event.batches < 1:
        return False
    return _LONG_NUMBER.search(line) is None or _bounded(msgspec.to_builtins(event))


def _bounded(value: Any) -> bool:
    if isinstance(value, int):
        return -_LARGEST <= value < _LARGEST
    if isinstance(value, dict):
        return all(map(_bounded, value.values()))
    return all(map(_bounded, value)) if isinstance(value, list | tuple) else True


def _last_line(path: Path) -> tuple[int, int]:
    """Where the last complete line of a journal ends, and the sequence number that follows."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0, 0
    try:
        whole = _line_end(file, os.fstat(file).st_size)
        # Empty lines may follow the last one that says something.
        end = _last_mark(file, whole)
        start = _line_end(file, end)
        if end - start > LONGEST_LINE:
            raise JournalError(f"{path}: its last line is not an event: it is too long")
        last = os.pread(file, end - start, start)
    finally:
        os.close(file)
    try:
        return whole, msgspec.json.decode(last, type=_Seq).seq + 1 if last else 0
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise JournalError(f"{path}: its last line is not an event: {printable(str(error))}") from None


def _line_end(file: int, before: int) -> int:
    """Where the last line ends that ends before this place; 0 where none does."""
    while before > 0:
        start = max(0, before - _CHUNK)
        found = os.pread(file, before - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        before = start
    return 0


def _last_mark(file: int, before: int) -> int:
    """Where the last sign before this place ends that is no line end; 0 where there is none."""
    while before > 0:
        start = max(0, before - _CHUNK)
        if found := os.pread(file, before - start, start).rstrip(b"\n"):
            return start + len(found)
        before = start
    return 0


class _Seq(msgspec.Struct):
    seq: int = -1
