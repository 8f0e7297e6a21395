"""fxtui in a pseudo-terminal: what it draws is read as bytes, with the time at which they came."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fxtui.bench.rows import BenchError

WIDTH, HEIGHT = 120, 40
_PATIENCE = 120.0
_ASKS_SYNC, _HAS_SYNC = b"\x1b[?2026$p", b"\x1b[?2026;2$y"


class PseudoTerminal:
    """A process in a terminal of 120x40 cells in full colour, which draws updates whole as modern terminals do."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.started = time.perf_counter()
        self.seen = b""
        self.count = 0
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            _become(arguments, environment)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))

    def press(self, key: bytes) -> float:
        """Press a key; returns when."""
        self.drain(0.0)
        self.seen = b""
        at = time.perf_counter()
        os.write(self._file, key)
        return at

    def wait_for(self, mark: bytes, seconds: float = _PATIENCE) -> float:
        """Read until this has been drawn since the last key; returns when.

        Raises:
            BenchError: it never is.
        """
        return self.wait_until(lambda: mark in self.seen, f"drawing {mark.decode(errors='replace')!r}", seconds)

    def wait_until(
        self, condition: Callable[[], bool], what: str, seconds: float = _PATIENCE, *, every: float = 0.02
    ) -> float:
        """Read until something is so; returns when. ``every``: seconds between two looks while nothing is drawn.

        Raises:
            BenchError: it never is.
        """
        end = time.perf_counter() + seconds
        while not condition():
            if time.perf_counter() > end or not self._read(every):
                raise BenchError(f"the dashboard never came to {what}; it drew last: {self.seen[-300:]!r}")
        return time.perf_counter()

    def drain(self, seconds: float) -> int:
        """Read for so long; returns how many bytes came."""
        before, end = self.count, time.perf_counter() + seconds
        while True:
            left = end - time.perf_counter()
            if not self._read(max(0.0, left)) or left <= 0:
                return self.count - before

    def maps(self, name: str) -> bool | None:
        """Whether the process has loaded a library of this name; None where the system does not tell."""
        try:
            return name in Path(f"/proc/{self.pid}/maps").read_text()
        except OSError:
            return None

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._file)

    def _read(self, seconds: float) -> bool:
        """Take what is there, waiting for it at most so long; False: the process is gone."""
        if not select.select([self._file], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._file, 65536)
        except OSError:
            return False
        if _ASKS_SYNC in data:
            os.write(self._file, _HAS_SYNC)
        self.seen += data
        self.count += len(data)
        return bool(data)


def dashboard_arguments(*words: str) -> list[str]:
    """The command that runs this fxtui."""
    return [sys.executable, "-m", "fxtui", *words]


def _become(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(WIDTH), "LINES": str(HEIGHT)}
    kept = {key: value for key, value in environment.items() if key not in ("NO_COLOR", "TEXTUAL_THEME")}
    try:
        os.execve(arguments[0], list(arguments), {**kept, **terminal})
    finally:
        os._exit(127)
