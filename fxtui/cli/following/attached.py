"""The dashboard on a run whose engine is elsewhere: its past is read, the screen is opened, and left."""

from __future__ import annotations

import subprocess
import sys
import time

from fxtui.cli.display_options import DisplayOptions, theme_of
from fxtui.cli.following.report import reference
from fxtui.cli.output.console import SteadyConsole
from fxtui.config import ConfigError
from fxtui.run.session.attached import AttachedSession
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory

# A past that is read sooner than this is not worth a word.
_UNSAID_SECONDS, _POLL_SECONDS = 0.4, 0.1
# In which a run that goes on has left its starter, or said why it does not.
_LEFT_SECONDS = 60.0


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


def take_up(run: RunDirectory) -> None:
    """Have a run that has ended go on without a terminal, in a process of its own.

    Raises:
        ConfigError: it does not.
    """
    command = [sys.executable, "-m", "fxtui", "train", "--resume", str(run.path.absolute()), "--detach"]
    nothing = subprocess.DEVNULL
    try:
        # A session of its own: what is pressed in this terminal is nothing to it.
        begun = subprocess.run(
            command,
            stdin=nothing,
            stdout=nothing,
            stderr=subprocess.PIPE,
            start_new_session=True,
            timeout=_LEFT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{run.name} cannot be taken up: {error}") from error
    if begun.returncode:
        said = begun.stderr.decode(errors="replace").strip().splitlines()
        raise ConfigError(said[-1] if said else f"{run.name} cannot be taken up: status {begun.returncode}")
