"""While a run is followed: its user is told of what matters, and without a dashboard the window bears its name."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fxtui.config import ConfigError, SessionConfig
from fxtui.protocol.events import Event, Output, RunWarning
from fxtui.run.notices.occasions import Notice
from fxtui.run.notices.watcher import RunWatcher
from fxtui.run.notices.words import BELL, KEEP_TITLE, TITLE_BACK, set_title, title
from fxtui.run.session.local import LocalSession
from fxtui.run.state import RunState

if TYPE_CHECKING:
    from fxtui.cli.output.console import SteadyConsole

_TITLE_SECONDS = 1.0


def ring() -> None:
    """Ring the terminal's bell, if there is one; not on standard output, which may be read by a program."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr.isatty():
            sys.stderr.write(BELL)
            sys.stderr.flush()


@contextlib.contextmanager
def watching(
    session: LocalSession, say: Callable[[str], None], ring: Callable[[], None] = ring
) -> Iterator[Callable[[Event], None]]:
    """While entered, the run of this process is watched by the events that are handed in.

    What is found out and what the user's command prints goes into the journal; once that is closed, to ``say``.
    ``ring`` is called from another thread.
    """
    try:
        settings = session.run.load_config().session
    except ConfigError:
        settings = SessionConfig()

    def log(text: str) -> None:
        if session.link.closed:
            say(text)
        else:
            session.link.emit(Output(text=text))

    def tell(notice: Notice) -> None:
        if notice.kind in ("stalled", "disk"):
            session.link.emit(RunWarning(text=notice.text))
        if settings.bell:
            ring()

    watcher = RunWatcher(session.run, settings, tell, log)
    try:
        yield watcher.take
    finally:
        watcher.close()


class WindowTitle:
    """Names the terminal's window after how far the run is, and gives it its own name back."""

    def __init__(self, out: SteadyConsole, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._shown = ""
        self._at = float("-inf")

    def show(self, state: RunState) -> None:
        """Name it after a run, where that is another name, once a second at most."""
        now, text = self._clock(), title(state)
        if text == self._shown or now - self._at < _TITLE_SECONDS:
            return
        self._send(("" if self._shown else KEEP_TITLE) + set_title(text))
        self._shown, self._at = text, now

    def close(self) -> None:
        """Give it back the name that it had."""
        if self._shown:
            self._send(TITLE_BACK)
            self._shown = ""

    def _send(self, text: str) -> None:
        def write() -> None:
            self._out.console.file.write(text)
            self._out.console.file.flush()

        self._out.attempt(write)


def can_name_window() -> bool:
    """Whether the terminal's window bears a name; the system's own console has none."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "linux")
