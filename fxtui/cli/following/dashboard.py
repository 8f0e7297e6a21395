"""Training in the dashboard: the screen is opened, left, and the run is waited for if it goes on without it."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from fxtui.cli.display_options import DisplayOptions, theme_of
from fxtui.cli.following.capture import captured_output
from fxtui.cli.following.exit_status import conclude, discard
from fxtui.cli.following.report import ending
from fxtui.cli.following.signals import StopSignals
from fxtui.cli.output.console import SteadyConsole
from fxtui.cli.output.streams import complain
from fxtui.protocol.events import Output, RunWarning
from fxtui.run.session.local import LocalSession

_POLL_SECONDS = 0.2


def follow_in_dashboard(session: LocalSession, display: DisplayOptions) -> int:
    """Open the dashboard on a session that is not started, and return the exit status when both have ended."""
    from fxtui.tui.dashboard.app import DashboardApp

    # Before the output is captured: afterwards it has the encoding of a file.
    profile, theme = display.profile(), theme_of(display)

    def keep(text: str) -> None:
        session.link.emit(Output(text=text))

    out = SteadyConsole()
    with ExitStack() as rest:
        with captured_output(keep):
            captured = sys.stdout

            def start() -> None:
                # Textual puts streams of its own in place, which swallow what is printed.
                sys.stdout = sys.stderr = captured
                session.start()

            past = session.run.load_state() if session.continued else None
            app = DashboardApp(session, past, profile=profile, theme=theme, on_ready=start)
            status = app.run() or 0
            # At once: Textual's loop leaves signals deadly behind, and a dying shell hangs up a second time.
            signals = rest.enter_context(StopSignals(session))
        _wait(session, signals, out)
    if not session.run.journal.stat().st_size:
        discard(session.run)
        return status
    state = session.run.load_state()
    if state.finished is None or state.finished.exit_status == 2:
        return conclude(session, state.finished, complain)
    for line in ending(state, session.run):
        out.print(line.text, line.style)
    return state.finished.exit_status


def _wait(session: LocalSession, signals: StopSignals, out: SteadyConsole) -> None:
    if not session.alive:
        return
    session.link.emit(RunWarning(text="the dashboard is closed, training goes on"))
    out.print(f"training goes on: {session.run.name}; ctrl+c stops and saves")
    while session.alive:
        session.join(_POLL_SECONDS)
        if text := signals.news():
            complain(text)
