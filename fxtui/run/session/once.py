"""Each event of a run once and in order, whether it was heard live or had to be read from the journal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from fxtui.protocol.events import Event
from fxtui.run.journal import JournalError, JournalReader

_CHUNK = 1 << 16


class EachOnce:
    """Knows how far a listener is. ``offset`` is where in the journal the events after ``last_seq`` begin."""

    def __init__(self, journal: Path, offset: int = 0, last_seq: int = -1) -> None:
        self._reader = JournalReader(journal, offset)
        self.last_seq = last_seq

    def is_new(self, event: Event) -> bool:
        """Whether this event of the journal's has not been handed out; from now on it has been."""
        if event.seq <= self.last_seq:
            return False
        self.last_seq = event.seq
        return True

    def unread(self) -> Iterator[Event]:
        """What the journal has by now and has not been handed out.

        A line that is damaged is left out, and a journal that cannot be read now is read the next time.
        """
        while True:
            try:
                for event in self._reader.poll():
                    if self.is_new(event):
                        yield event
                return
            except JournalError:
                continue
            except OSError:
                return


def end_of(journal: Path) -> tuple[int, int]:
    """Where the last complete line of a journal ends, and the number of the last event; (0, -1) if there is none."""
    offset, line = last_line(journal)
    try:
        return offset, msgspec.json.decode(line, type=_Seq).seq
    except msgspec.DecodeError:
        return 0, -1


def last_line(journal: Path) -> tuple[int, bytes]:
    """The last complete line of a journal and where it ends; an empty one at 0 if there is none."""
    with contextlib.suppress(OSError), journal.open("rb") as file:
        start = file.seek(0, 2)
        tail = b""
        while start:
            step = min(_CHUNK, start)
            start -= step
            file.seek(start)
            tail = file.read(step) + tail
            end = tail.rfind(b"\n") + 1
            begin = tail.rfind(b"\n", 0, end - 1) + 1 if end else 0
            if end and (begin or not start):
                return start + end, tail[begin:end]
    return 0, b""


class _Seq(msgspec.Struct):
    seq: int
