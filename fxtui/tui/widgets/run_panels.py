"""The table of runs with a cursor and marks, and what is said of the marked ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fxtui.run.catalogue import RunEntry
from fxtui.run.state import RunState
from fxtui.tui.lines import title
from fxtui.tui.plotting import Curve, Overlay, PlotSpec, draw_plot
from fxtui.tui.views.runs import difference_lines, done_lines, run_lines
from fxtui.tui.widgets.panels import Panel

_HEAD = 2
_MOST_MARKS = 6
_ORDERS: dict[str, Callable[[RunEntry], float]] = {
    "newest first": lambda run: -run.started,
    "best first": lambda run: -(run.best.val_accuracy if run.best else -1.0),
    "longest first": lambda run: -run.seconds,
}


class RunTable(Panel, can_focus=True):
    """The runs; `entries` are given from outside."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
    ]

    class Changed(Message):
        """Another run is under the cursor, or others are marked."""

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._entries: list[RunEntry] = []
        self._order = next(iter(_ORDERS))
        self._marked: list[str] = []
        self._cursor: str | None = None
        self._top = 0

    @property
    def selected(self) -> RunEntry | None:
        """The run under the cursor."""
        return next((run for run in self._entries if run.name == self._cursor), None)

    @property
    def marked(self) -> list[RunEntry]:
        """The marked runs, in the order in which they were."""
        by_name = {run.name: run for run in self._entries}
        return [by_name[name] for name in self._marked if name in by_name]

    def set_entries(self, entries: Sequence[RunEntry]) -> None:
        """Show these runs."""
        self._entries = sorted(entries, key=_ORDERS[self._order])
        self._marked = [name for name in self._marked if any(run.name == name for run in entries)]

    def next_order(self) -> None:
        """Sort otherwise."""
        orders = list(_ORDERS)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self.set_entries(self._entries)

    def mark(self) -> str:
        """Mark the run under the cursor, or take its mark away; says why it cannot be done."""
        if self._cursor in self._marked:
            self._marked.remove(self._cursor)
        elif len(self._marked) >= _MOST_MARKS:
            return f"{_MOST_MARKS} runs are marked already; space on one of them takes its mark away"
        elif self._cursor is not None:
            self._marked.append(self._cursor)
        return ""

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """As many runs around the cursor as fit."""
        if self.selected is None:
            self._cursor = self._entries[0].name if self._entries else None
        width, height = self.size
        at = next((n for n, run in enumerate(self._entries) if run.name == self._cursor), 0)
        self._top = max(0, min(self._top, at), at - max(1, height - _HEAD) + 1)
        self.show(run_lines(self._entries, self._marked, self._order, width, height, at, self._top, self.has_focus))

    def action_move(self, by: int) -> None:
        """Move the cursor by so many runs."""
        if self._entries:
            at = next((n for n, run in enumerate(self._entries) if run.name == self._cursor), 0)
            self._put(max(0, min(len(self._entries) - 1, at + by)))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there."""
        at = event.y - _HEAD + self._top
        if event.y >= _HEAD and at < len(self._entries):
            self._put(at)

    def on_mouse_scroll_down(self) -> None:
        """Scroll with the cursor."""
        self.action_move(1)

    def on_mouse_scroll_up(self) -> None:
        """Scroll with the cursor."""
        self.action_move(-1)

    def _put(self, at: int) -> None:
        if self._entries[at].name != self._cursor:
            self._cursor = self._entries[at].name
            self.redraw()
            self.post_message(self.Changed())


class ComparePanel(Panel):
    """The settings in which the marked runs differ."""

    runs: Sequence[RunEntry] = ()

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """Side by side."""
        self.show(difference_lines(self.runs, *self.size))


class DonePanel(Panel):
    """What was done in the run under the cursor."""

    run: RunEntry | None = None

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """In the order of the epochs."""
        self.show(done_lines(self.run, *self.size))


class OverlayPlot(Panel):
    """The validation accuracy of the marked runs by epoch, each with its number at its end."""

    runs: Sequence[RunEntry] = ()

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """One curve is drawn as validation is elsewhere, the others beside it."""
        width, height = self.size
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
