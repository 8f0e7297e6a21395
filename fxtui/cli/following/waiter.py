"""The run's process and the shell's: one forks at once, the child is the run, and the parent only waits for it.

So a run can leave its terminal without an exec and without a thread that is lost on the way: the shell gets its job
back when the parent ends, and the child makes a session of its own. The parent keeps the terminal's settings from
before and puts them back whatever ends the child.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LEFT = b"L"
# What a dashboard asks of a terminal, taken back: mouse, focus, paste and key reports, the other screen, the cursor.
_PLAIN_SCREEN = "\x1b[?1000;1003;1004;1006;1015;2004l\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h"
# A change of state that was missed is found at the latest after this long.
_LOOK_SECONDS = 1.0


class Waiter:
    """The child's side: what it may ask of the process that the shell waits for."""

    def __init__(self, out: int, alive: int) -> None:
        self._out = out
        self._left = threading.Event()
        # The terminal may go before there is a dashboard to be told.
        self.hung_up = threading.Event()
        signal.signal(signal.SIGHUP, lambda *_: self.hung_up.set())
        threading.Thread(target=self._watch, args=(alive,), name="fxtui-waiter", daemon=True).start()

    def leave(self, text: str) -> None:
        """Have the waiter print this line and end with 0: the shell has its prompt again, and this process goes on.

        It has a session of its own from here on, so that nothing which befalls the terminal reaches it.
        """
        self._left.set()
        # What this process starts is of the same group; a child of the waiter leads none, so this cannot fail.
        os.setsid()
        with contextlib.suppress(OSError):
            os.write(self._out, _LEFT + text.encode("utf-8", "replace") + b"\n")
            os.close(self._out)

    def _watch(self, alive: int) -> None:
        """A waiter that is gone without having been left is the end of the terminal."""
        with contextlib.suppress(OSError):
            os.read(alive, 1)
        if not self._left.is_set():
            os.kill(os.getpid(), signal.SIGHUP)


def fork_behind_waiter() -> Waiter:
    """Fork. Returns in the child alone; this process waits for it and ends with its status.

    To be called before there is a second thread and before anything large is imported.
    """
    said, out = os.pipe()
    alive, held = os.pipe()
    os.set_blocking(said, False)
    settings = _terminal_settings()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # What comes between the fork and the handlers waits for these.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    child = os.fork()
    if child == 0:
        os.close(said)
        os.close(held)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return Waiter(out, alive)
    os.close(out)
    os.close(alive)
    for number in _FORWARDED:
        signal.signal(number, _forward_to(child))
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    status = 1
    try:
        status = _wait(child, said, settings)
    finally:
        # Nothing of what is above in the stack is this process's business any more.
        os._exit(status)


def _wait(child: int, said: int, settings: list[Any] | None) -> int:
    """Until the child has ended or left; returns the status to end with."""
    woken, wakes = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    # A handler, so that a child's change of state is written to the descriptor that is waited for.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    heard = b""
    while True:
        pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        # After the child has ended, too: it may have said just before that it leaves.
        heard += _read(said)
        if heard.startswith(_LEFT) and heard.endswith(b"\n"):
            _print(heard[1:].decode("utf-8", "replace").strip())
            return 0
        if pid and os.WIFSTOPPED(status):
            _stop_with(child, settings)
        elif pid:
            return _ended(os.waitstatus_to_exitcode(status), settings)
        else:
            select.select([woken] if heard else [woken, said], [], [], _LOOK_SECONDS)
            _read(woken)


def _ended(code: int, settings: list[Any] | None) -> int:
    _restore(settings)
    if code >= 0:
        return code
    if sys.stdout.isatty():
        _print(_PLAIN_SCREEN)
    name = signal.Signals(-code).name
    _print(f"fxtui: {name} has ended the run; it goes on from its last checkpoint with: fxtui train --resume last")
    return 128 - code


def _read(descriptor: int) -> bytes:
    """What is there to be read, without waiting."""
    found = b""
    with contextlib.suppress(BlockingIOError):
        while chunk := os.read(descriptor, 4096):
            found += chunk
    return found


def _stop_with(child: int, settings: list[Any] | None) -> None:
    """The child has been stopped: so is this process, or the shell would wait for a job that does nothing."""
    present = _terminal_settings()
    # A child that stopped by itself has put them back; one that was stopped from outside could not.
    _restore(settings)
    os.kill(os.getpid(), signal.SIGSTOP)
    if present is not None and os.tcgetpgrp(0) == os.getpgrp():
        _restore(present)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGCONT)


def _forward_to(child: int) -> Callable[[int, FrameType | None], None]:
    def forward(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    return forward


def _terminal_settings() -> list[Any] | None:
    try:
        return termios.tcgetattr(0)
    except (termios.error, OSError):
        return None


def _restore(settings: list[Any] | None) -> None:
    if settings is None:
        return
    # Whoever is in the background and touches the terminal's settings is stopped for it.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(termios.error, OSError):
        termios.tcsetattr(0, termios.TCSADRAIN, settings)
    signal.signal(signal.SIGTTOU, before)


def _print(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
