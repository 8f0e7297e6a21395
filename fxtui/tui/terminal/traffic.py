"""What goes to the terminal is counted: how many bytes, and how long the terminal takes to accept them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import IO

_SPAN_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class TerminalUse:
    """What the dashboard costs: bytes a second and in all, seconds that a write takes, between frames and per frame."""

    per_second: float
    total: int
    latency: float | None
    wait: float
    cost: float


class Traffic:
    """Counts what is sent to the terminal. Any thread may count and ask; ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._writes: deque[tuple[float, int, float]] = deque()
        self._total = 0

    def add(self, count: int, seconds: float) -> None:
        """``count`` bytes were written, which took this long."""
        now = self._clock()
        with self._lock:
            self._total += count
            self._writes.append((now, count, seconds))
            self._forget(now)

    @property
    def total(self) -> int:
        """Bytes since the dashboard was opened."""
        with self._lock:
            return self._total

    @property
    def per_second(self) -> float:
        """Bytes a second, over the last four seconds."""
        with self._lock:
            self._forget(self._clock())
            return sum(count for _, count, _ in self._writes) / _SPAN_SECONDS

    @property
    def latency(self) -> float | None:
        """Seconds that a write takes, the median of the last four seconds; None: nothing was written."""
        with self._lock:
            self._forget(self._clock())
            return median(seconds for _, _, seconds in self._writes) if self._writes else None

    def _forget(self, now: float) -> None:
        while self._writes and self._writes[0][0] < now - _SPAN_SECONDS:
            self._writes.popleft()


class CountedFile:
    """A text file whose writes are counted; what is written stays as it is.

    Once the terminal is gone, what is written is dropped: the thread that writes must live, for the app waits for it.
    """

    def __init__(self, file: IO[str], traffic: Traffic) -> None:
        self._file = file
        self._traffic = traffic
        self._count = 0
        self._seconds = 0.0
        self._gone = False

    def write(self, text: str) -> int:
        """Write text. It counts once it is flushed: before that it may lie in a buffer."""
        if self._gone:
            return len(text)
        start = time.perf_counter()
        try:
            written = self._file.write(text)
        except OSError:
            self._gone = True
            return len(text)
        self._seconds += time.perf_counter() - start
        self._count += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        return written

    def flush(self) -> None:
        """Send what was written."""
        if self._gone:
            return
        start = time.perf_counter()
        try:
            self._file.flush()
        except OSError:
            self._gone = True
            return
        seconds = self._seconds + time.perf_counter() - start
        if self._count:
            self._traffic.add(self._count, seconds)
        self._count, self._seconds = 0, 0.0

    def fileno(self) -> int:
        """The file's descriptor."""
        return self._file.fileno()
