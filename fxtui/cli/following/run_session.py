"""A session from its opening to its end: in the dashboard, in lines or as JSON."""

from __future__ import annotations

from collections.abc import Callable

from fxtui.cli.display_options import DisplayOptions, theme_of
from fxtui.cli.output.streams import has_terminal
from fxtui.run.session.local import LocalSession


def run_session(
    open_session: Callable[[], LocalSession], *, headless: bool, json: bool, display: DisplayOptions
) -> int:
    """Open a session, start it and follow it to its end; returns the exit status.

    Raises:
        ConfigError: the session cannot be opened, or there is no such theme.
    """
    # A wrong name is said before there is a run.
    theme_of(display)
    if json:
        from fxtui.cli.following.json_lines import follow_as_json

        return follow_as_json(open_session)
    session = open_session()
    if headless or not has_terminal():
        from fxtui.cli.following.headless import follow_in_lines

        return follow_in_lines(session)
    from fxtui.cli.following.dashboard import follow_in_dashboard

    return follow_in_dashboard(session, display)
