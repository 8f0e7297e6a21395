"""The dashboard in a real terminal: how it is left, and that a run outlives it. No torch involved."""

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

import pytest

from fxtui.run.store import RunStore

ROOT = Path(__file__).parents[3]
SECONDS = 60.0
LEAVES_SCREEN = b"\x1b[?1049l"


class Terminal:
    """A process in a terminal of 120x40 that nobody looks at."""

    kind = "xterm-256color"

    def __init__(self, what: str, runs: Path, *words: str) -> None:
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            environment = {**os.environ, "TERM": self.kind, "COLUMNS": "120", "LINES": "40"}
            arguments = [sys.executable, "-m", "tests.cli.following.made_up", "dashboard", what, str(runs), *words]
            os.execve(sys.executable, arguments, environment)
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
def terminal(what: str, runs: Path) -> Iterator[Terminal]:
    opened = Terminal(what, runs)
    try:
        yield opened
    finally:
        opened.close()


def test_leaving_after_the_end_prints_how_it_went_below_the_prompt(tmp_path: Path) -> None:
    with terminal("finishes", tmp_path) as shown:
        shown.wait_for(b"finished")
        shown.keys(b"q")
        assert shown.exit_status() == 0
        below = shown.screen.rpartition(LEAVES_SCREEN)[2].decode()
    assert "finished  best val 93.0% at epoch 3, 3 epochs in " in below
    assert f"show      fxtui show {RunStore(tmp_path).find('last').path}" in below


def test_prints_do_not_reach_the_screen_but_the_journal(tmp_path: Path) -> None:
    with terminal("prints_beside", tmp_path) as shown:
        shown.wait_for(b"finished")
        shown.keys(b"q")
        assert shown.exit_status() == 0
    logged = [line.text for line in RunStore(tmp_path).find("last").load_state().log if line.level == "output"]
    assert {"from python", "from c", "from a child"} <= set(logged)


def test_a_run_goes_on_when_its_terminal_is_gone_and_can_be_stopped(tmp_path: Path) -> None:
    with terminal("waits", tmp_path) as shown:
        shown.wait_for(b"90.0%")
        shown.hang_up()
        journal = RunStore(tmp_path).find("last").journal
        until(lambda: "the dashboard is closed" in journal.read_text())
        # As a shell does that dies with its terminal.
        os.kill(shown.pid, signal.SIGHUP)
        os.kill(shown.pid, signal.SIGTERM)
        assert shown.exit_status() == 130
    assert RunStore(tmp_path).find("last").load_state().phase == "stopped"


def test_a_configuration_found_wrong_late_closes_the_dashboard_with_one_line(tmp_path: Path) -> None:
    with terminal("refuses", tmp_path) as shown:
        assert shown.exit_status() == 2
        below = shown.screen.rpartition(LEAVES_SCREEN)[2].decode()
    assert "fxtui: device = 'cuda:7': not on this machine; here: cpu" in below
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["fails"])
def test_a_failed_run_is_status_1(tmp_path: Path, what: str) -> None:
    with terminal(what, tmp_path) as shown:
        shown.wait_for(b"failed")
        shown.keys(b"q")
        assert shown.exit_status() == 1
