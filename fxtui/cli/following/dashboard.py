"""A run in the dashboard: the screen is opened and left, and the run goes on to its end if it is left without it."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from fxtui.cli.display_options import DisplayOptions, theme_of
from fxtui.cli.following.capture import captured_output
from fxtui.cli.following.exit_status import EXIT_INTERRUPTED, conclude, discard
from fxtui.cli.following.leaving import leave_terminal, what_ends_it
from fxtui.cli.following.own_run import OwnRun
from fxtui.cli.following.signals import StopSignals
from fxtui.cli.following.waiter import Waiter
from fxtui.cli.following.watching import watching
from fxtui.cli.output.streams import complain
from fxtui.protocol.events import Event, Output, RunWarning
from fxtui.run.session.local import LocalSession


def follow_in_dashboard(session: LocalSession, display: DisplayOptions, waiter: Waiter | None = None) -> int:
    """Open the dashboard on a session that is not started, and return the exit status when both have ended.

    ``waiter`` is what the shell waits for, if that is another process than this one.
    """
    from fxtui.tui.dashboard.app import DashboardApp

    # Before the output is captured: afterwards it has the encoding of a file.
    profile, theme = display.profile(), theme_of(display)

    def keep(text: str) -> None:
        session.link.emit(Output(text=text))

    with ExitStack() as rest:
        with captured_output(keep):
            captured = sys.stdout

            def start() -> None:
                # Textual puts streams of its own in place, which swallow what is printed.
                sys.stdout = sys.stderr = captured
                session.start()
                if waiter is not None and waiter.hung_up.is_set():
                    app.hang_up()

            def bell() -> None:
                if app.is_running:
                    app.bell()

            watch = rest.enter_context(watching(session, complain, bell))
            past = session.run.load_state() if session.continued else None
            own = OwnRun(session, watch)
            app = DashboardApp(own, past, profile=profile, theme=theme, on_ready=start)
            session.link.viewer_came()
            status = app.run() or 0
            session.link.viewer_left()
            goes_on = own.goes_on_elsewhere
            own.close()
            # At once: Textual's loop leaves signals deadly behind, and a dying shell hangs up a second time.
            signals = rest.enter_context(StopSignals(session))
        if status == EXIT_INTERRUPTED and session.alive:
            # Told to end a second time. Nothing half-written is ever taken for whole.
            os._exit(status)
        if app.crash is not None:
            complain(_report_crash(session, app.crash))
        if session.alive:
            stays = app.crash is not None
            return _go_on(session, app.hung_up, None if stays else waiter, signals, watch)
    if goes_on:
        complain(f"{session.run.name} goes on in a process of its own; fxtui attach comes back")
        return status
    # Not read from the journal, which may lack what could not be written.
    state = session.link.state
    if state.seq < 0:
        discard(session.run)
        return status
    if state.finished is None or state.finished.exit_status == 2:
        return conclude(session, state.finished, complain)
    # What is printed after the dashboard need not be there before it.
    from fxtui.cli.following.report import ending
    from fxtui.cli.output.console import SteadyConsole

    out = SteadyConsole()
    for line in ending(state, session.run):
        out.print(line.text, line.style)
    return state.finished.exit_status


def _report_crash(session: LocalSession, crash: Exception) -> str:
    """Write down why the dashboard crashed; returns a line about it. The run is none the wiser."""
    last = traceback.extract_tb(crash.__traceback__)[-1:]
    where = f" at {Path(last[0].filename).name}:{last[0].lineno}" if last else ""
    text = f"the dashboard crashed: {type(crash).__name__}: {crash}{where}"
    file = session.run.path / f"crash-{time.strftime('%Y%m%d-%H%M%S')}.txt"
    try:
        file.write_text("".join(traceback.format_exception(crash)), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        return f"{text} (and its report cannot be written: {error.strerror})"
    return f"{text}; its report is {file}"


def _go_on(
    session: LocalSession,
    hung_up: bool,
    waiter: Waiter | None,
    signals: StopSignals,
    watch: Callable[[Event], None],
) -> int:
    """Without the dashboard: away from the terminal, or, where that would end the run, in lines on it."""
    from fxtui.cli.following.event_loop import watch_to_the_end
    from fxtui.cli.following.headless import Printer

    fate = what_ends_it()
    if waiter is not None and (hung_up or not fate):
        leave_terminal(session, waiter, session.run.load_state())
    else:
        session.link.emit(RunWarning(text="the dashboard is closed, the run goes on"))
        if not hung_up:
            because = f" ({fate})" if fate else ""
            complain(f"{session.run.name} goes on in this terminal{because}; ctrl+c stops and saves")
    printer = Printer(session)

    def take(event: Event) -> None:
        watch(event)
        printer.show(event)

    finished = watch_to_the_end(session, signals, take, complain)
    printer.close()
    return conclude(session, finished, complain)
