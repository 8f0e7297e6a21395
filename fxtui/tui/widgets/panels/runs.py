"""The table of runs with a cursor and marks, and what is said of the marked ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fxtui.run.catalogue import RunEntry
from fxtui.run.state import RunState
from fxtui.text.lines import title
from fxtui.tui.plotting.figure import draw_plot
from fxtui.tui.plotting.spec import Curve, Overlay, PlotSpec
from fxtui.tui.views.runs import difference_lines, history_lines, run_lines
from fxtui.tui.widgets.cursor_list import CursorList
from fxtui.tui.widgets.panel import Panel

_MOST_MARKS = 6
_ORDERS: dict[str, Callable[[RunEntry], float]] = {
    "newest first": lambda run: -run.started,
    "best first": lambda run: -(run.best.val_accuracy if run.best else -1.0),
    "longest first": lambda run: -run.seconds,
}


class RunTable(CursorList[RunEntry]):
    """The runs, some of them marked."""

    class Moved(CursorList.Moved):
        """Another run is under the cursor."""

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._order = next(iter(_ORDERS))
        self._marked: list[str] = []

    def key_of(self, entry: RunEntry) -> str:
        """Its name."""
        return entry.name

    @property
    def marked(self) -> list[RunEntry]:
        """The marked runs, in the order in which they were."""
        by_name = {run.name: run for run in self.entries}
        return [by_name[name] for name in self._marked if name in by_name]

    def set_entries(self, entries: Sequence[RunEntry]) -> None:
        """Show these runs."""
        self.entries = sorted(entries, key=_ORDERS[self._order])
        self._marked = [name for name in self._marked if any(run.name == name for run in entries)]

    def next_order(self) -> None:
        """Sort otherwise."""
        orders = list(_ORDERS)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self.set_entries(self.entries)

    def mark(self) -> str:
        """Mark the run under the cursor, or take its mark away; says why it cannot be done."""
        run = self.selected
        if run is None:
            return ""
        if run.name in self._marked:
            self._marked.remove(run.name)
        elif len(self._marked) >= _MOST_MARKS:
            return f"{_MOST_MARKS} runs are marked already; space on one of them takes its mark away"
        else:
            self._marked.append(run.name)
        return ""

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """As many runs around the cursor as fit."""
        width, height = self.size
        at, first = self.in_sight()
        self.show(run_lines(self.entries, self._marked, self._order, width, height, at, first, self.has_focus))


class ComparePanel(Panel):
    """The settings in which the marked runs differ."""

    runs: Sequence[RunEntry] = ()

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """Side by side."""
        self.show(difference_lines(self.runs, *self.size))


class HistoryPanel(Panel):
    """What was done in the run under the cursor."""

    run: RunEntry | None = None

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """In the order of the epochs."""
        self.show(history_lines(self.run, *self.size))


class OverlayPlot(Panel):
    """The validation accuracy of the marked runs by epoch, each with its number at its end."""

    runs: Sequence[RunEntry] = ()
    _drawn: object = None

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """One curve is drawn as validation is elsewhere, the others beside it."""
        width, height = self.size
        shown = (self.size, [(run.path, len(run.epochs), run.epochs_planned) for run in self.runs])
        if shown == self._drawn:
            return
        self._drawn = shown
        heading = title("Validation accuracy", (), (("by epoch", "muted"),), width)
        curves = [([float(e.epoch) for e in run.epochs], [e.val_accuracy for e in run.epochs]) for run in self.runs]
        spec = PlotSpec(
            curves=(Curve("val", *curves[0]),) if curves else (),
            x_max=float(max([max(1, run.epochs_planned) for run in self.runs], default=1)),
            overlays=tuple(Overlay(str(number), *curve) for number, curve in enumerate(curves, 1)),
            percent=True,
            ascii_only=self._ascii,
            empty="space marks runs to see their curves",
        )
        self.show([heading, *draw_plot(spec, width, max(0, height - 1)).lines][:height])
