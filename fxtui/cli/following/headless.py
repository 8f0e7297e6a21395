"""Training without a dashboard: lines that read well in a terminal and in a log file."""

from __future__ import annotations

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from fxtui.cli.following.event_loop import follow_events
from fxtui.cli.following.report import Report
from fxtui.cli.following.watching import WindowTitle, can_name_window
from fxtui.cli.output.console import SteadyConsole
from fxtui.cli.output.streams import complain
from fxtui.protocol.events import BatchEnd, Event, ExtractionProgress, RunFinished, ValidationProgress
from fxtui.run.session.local import LocalSession


def follow_in_lines(session: LocalSession) -> int:
    """Follow a run to its end on standard output; returns the exit status."""
    printer = Printer(session)
    try:
        return follow_events(session, printer.show, complain)
    finally:
        printer.close()


class Printer:
    """Prints a run's lines and, in a terminal, a bar of what goes on under them."""

    def __init__(self, session: LocalSession) -> None:
        self._out = SteadyConsole()
        self._report = Report(session.run)
        console = self._out.console
        self._bar = Bar(self._out) if console.is_terminal and not console.is_dumb_terminal else None
        self._window = WindowTitle(self._out) if self._bar and can_name_window() else None

    def show(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, RunFinished):
            self.close()
            if event.exit_status == 2:
                return
        for line in self._report.take(event):
            self._out.print(line.text, line.style)
        if self._bar:
            self._bar.take(event)
        if self._window:
            self._window.show(self._report.state)

    def close(self) -> None:
        """Take the bar away, and the window's name."""
        if self._bar:
            self._bar.close()
        if self._window:
            self._window.close()


class Bar:
    """A progress bar for whatever goes on now: extraction, an epoch, its validation. Drawn by us, not by a thread."""

    def __init__(self, out: SteadyConsole) -> None:
        self._out = out
        self._progress = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            TextColumn("{task.fields[note]}"),
            console=out.console,
            transient=True,
            auto_refresh=False,
        )
        self._task: TaskID | None = None

    def take(self, event: Event) -> None:
        """Show how far the work is that an event tells of."""
        match event:
            case ExtractionProgress():
                self._draw("extracts", event.done, event.total, f"{event.images_per_s:,.0f} img/s")
            case BatchEnd():
                note = "" if event.loss is None else f"loss {event.loss:.4f}"
                self._draw(f"epoch {event.epoch}", event.batch, event.batches, note)
            case ValidationProgress():
                self._draw("validates", event.done, event.total, "")

    def close(self) -> None:
        """Remove the bar from the screen."""
        self._out.attempt(self._progress.stop)

    def _draw(self, what: str, done: int, total: int, note: str) -> None:
        if self._task is None:
            self._task = self._progress.add_task(what, total=total, note=note)
            self._out.attempt(self._progress.start)
        self._progress.update(self._task, description=what, completed=done, total=total, note=note)
        self._out.attempt(self._progress.refresh)
