"""The terminal given back while the program is stopped or in the background, and taken again when it comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

from fxtui.machine.jobs import can_be_stopped, in_foreground
from fxtui.tui.terminal.textual_internals import FilteredDriver

# Who stops or ends a job may tell every process of its group, and each of them those that it waits for.
TWIN_SECONDS = 0.5


class JobControl:
    """Follows the stop and continue signals of one dashboard. All of it happens in the application's event loop.

    ``on_return`` is called when the screen is ours again and has to be drawn anew.
    """

    def __init__(self, driver: FilteredDriver, on_return: Callable[[], None]) -> None:
        self._driver = driver
        self._on_return = on_return
        self._away = False
        self._continued = 0.0

    @property
    def away(self) -> bool:
        """Whether the terminal is somebody else's, so that nothing is drawn."""
        return self._away

    def ask_to_stop(self) -> bool:
        """Stop the whole job, as the terminal does for ctrl+z; False where nobody could have it go on."""
        if not can_be_stopped():
            return False
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        return True

    def stop(self) -> None:
        """Give the terminal back, and stop."""
        if not can_be_stopped():
            return
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)

    def go_on(self) -> None:
        """Continued: take the terminal if it is ours, be it after :meth:`stop` or after a stop that left no time."""
        now = time.monotonic()
        if not self._away and now - self._continued < TWIN_SECONDS:
            return
        self._continued = now
        # Whoever stopped this from outside has the terminal as the shell likes it by now.
        self._give_back()
        self.look()

    def look(self) -> None:
        """Take the terminal if it has become ours since; to be called now and then while it is not."""
        if self._away and in_foreground(self._driver.fileno):
            self._away = False
            self._driver.muted = False
            self._driver.resume_application_mode()
            self._on_return()

    def _give_back(self) -> None:
        if not self._away:
            self._away = True
            with _touching_terminal():
                self._driver.suspend_application_mode()
            self._driver.muted = True


@contextlib.contextmanager
def _touching_terminal() -> Iterator[None]:
    """In the background, whoever sets a terminal up is stopped for it, unless it ignores that signal."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTTOU, before)
