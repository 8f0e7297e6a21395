"""A session from its opening to its end: in the dashboard, in lines or as JSON."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fxtui.cli.display_options import DisplayOptions, theme_of
from fxtui.cli.following.exit_status import discard
from fxtui.cli.following.waiter import Waiter, fork_behind_waiter
from fxtui.cli.output.streams import has_terminal
from fxtui.run.session.local import LocalSession
from fxtui.run.state import RunState


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is to be followed: in lines, as JSON, or, without a word, away from the terminal."""

    headless: bool = False
    json: bool = False
    detach: bool = False

    @property
    def in_dashboard(self) -> bool:
        """Whether the dashboard opens."""
        return not (self.headless or self.json or self.detach) and has_terminal()


def waiter_for(manner: Manner) -> Waiter | None:
    """Fork, where the run may leave this terminal: the shell then waits for another process than the one returned to.

    To be called as soon as the manner is known, before anything large is imported. On macOS a forked process may not
    use the GPU, so there is no other.
    """
    wanted = manner.detach or manner.in_dashboard
    return fork_behind_waiter() if wanted and sys.platform != "darwin" else None


def run_session(
    open_session: Callable[[], LocalSession], manner: Manner, display: DisplayOptions, waiter: Waiter | None
) -> int:
    """Open a session, start it and follow it to its end; returns the exit status.

    Raises:
        ConfigError: the session cannot be opened, or there is no such theme.
    """
    # A wrong name is said before there is a run.
    theme_of(display)
    if manner.json:
        from fxtui.cli.following.json_lines import follow_as_json

        return follow_as_json(open_session)
    session = open_session()
    with _never_half_begun(session):
        if manner.in_dashboard:
            from fxtui.cli.following.dashboard import follow_in_dashboard

            return follow_in_dashboard(session, display, waiter)
        from fxtui.cli.following.headless import follow_in_lines

        if manner.detach and waiter is not None:
            from fxtui.cli.following.leaving import leave_terminal

            leave_terminal(session, waiter, RunState())
        return follow_in_lines(session)


@contextlib.contextmanager
def _never_half_begun(session: LocalSession) -> Iterator[None]:
    """A run that is broken off before its first event leaves nothing behind."""
    try:
        yield
    except BaseException:
        if not session.alive and not session.continued and session.link.state.seq < 0:
            discard(session.run)
        raise
