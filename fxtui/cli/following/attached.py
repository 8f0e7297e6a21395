"""The dashboard on a run whose engine is elsewhere: its past is read, the screen is opened, and left."""

from __future__ import annotations

import sys
import time

from fxtui.cli.display_options import DisplayOptions, theme_of
from fxtui.cli.following.report import reference
from fxtui.cli.output.console import SteadyConsole
from fxtui.run.session.attached import AttachedSession
from fxtui.run.state import RunState

# A past that is read sooner than this is not worth a word.
_UNSAID_SECONDS, _POLL_SECONDS = 0.4, 0.1


def follow_attached(session: AttachedSession, display: DisplayOptions) -> int:
    """Open the dashboard on a session that is not started; the exit status of what the user saw end, 0 before that.

    Raises:
        ConfigError: the journal cannot be read.
    """
    session.start()
    try:
        # Imported while the past is read.
        from fxtui.tui.dashboard.app import DashboardApp

        past = _past(session)
        app = DashboardApp(session, past, profile=display.profile(), theme=theme_of(display))
        status = app.run() or 0
        if session.alive:
            SteadyConsole().print(f"{session.run.name} goes on; fxtui attach {reference(session.run)} comes back")
        return status
    finally:
        session.close()


def _past(session: AttachedSession) -> RunState:
    """The run's state so far; says how much of a long journal has been read."""
    begun, said = time.monotonic(), False
    while (past := session.take_past(_POLL_SECONDS)) is None:
        if time.monotonic() - begun > _UNSAID_SECONDS:
            said = True
            sys.stderr.write(f"\rreading the journal: {session.read_part:4.0%} ")
            sys.stderr.flush()
    if said:
        sys.stderr.write("\r" + " " * 30 + "\r")
    return past
