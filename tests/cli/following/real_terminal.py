"""A process in a terminal of its own, for tests: what it draws is read, keys are pressed, the line is cut."""

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
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]


SECONDS = 60.0


LEAVES_SCREEN = b"\x1b[?1049l"


class Terminal:
    """A process in a terminal of 120x40 that nobody looks at."""

    kind = "xterm-256color"

    def __init__(self, what: str, runs: Path, *words: str, how: str = "dashboard", errors: Path | None = None) -> None:
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            if errors is not None:
                os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT), 2)
            environment = {**os.environ, "TERM": self.kind, "COLUMNS": "120", "LINES": "40"}
            arguments = [sys.executable, "-m", "tests.cli.following.made_up", how, what, str(runs), *words]
            os.execve(sys.executable, arguments, environment)
        self.settings = termios.tcgetattr(self._file)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.screen = b""

    def wait_for(self, words: bytes) -> None:
        """Read until these bytes have been drawn."""
        end = time.monotonic() + SECONDS
        while words not in self.screen:
            assert time.monotonic() < end, self.screen[-2000:]
            self._read()

    def keys(self, text: bytes) -> None:
        os.write(self._file, text)

    def press_until(self, key: bytes, words: bytes) -> None:
        """Press a key, and again where nothing comes of it, until these bytes have been drawn."""
        end = time.monotonic() + SECONDS
        while words not in self.screen:
            assert time.monotonic() < end, self.screen[-2000:]
            self.keys(key)
            again = time.monotonic() + 3
            while words not in self.screen and time.monotonic() < again:
                self._read()

    def settings_now(self) -> list[object]:
        """How the terminal is set up."""
        return termios.tcgetattr(self._file)

    def hang_up(self) -> None:
        """Close the terminal, as a lost connection does."""
        os.close(self._file)
        self._file = -1

    def exit_status(self) -> int:
        """Read what is still drawn and wait for the end of the process."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self._file >= 0 and self._read():
                    pass
                self.close()
                return os.waitstatus_to_exitcode(status)
            self._read()
        raise AssertionError(f"did not end: {self.screen[-2000:]!r}")

    def close(self) -> None:
        """End the process if it still runs."""
        if self._file >= 0:
            self.hang_up()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            if not os.waitpid(self.pid, os.WNOHANG)[0]:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)

    def _read(self) -> bool:
        if self._file < 0:
            time.sleep(0.05)
            return False
        if not select.select([self._file], [], [], 0.05)[0]:
            return False
        try:
            data = os.read(self._file, 65536)
        except OSError:
            return False
        self.screen += data
        return bool(data)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextlib.contextmanager
def terminal(what: str, runs: Path, how: str = "dashboard", errors: Path | None = None) -> Iterator[Terminal]:
    opened = Terminal(what, runs, how=how, errors=errors)
    try:
        yield opened
    finally:
        opened.close()
