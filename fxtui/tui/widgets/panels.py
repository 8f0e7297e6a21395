"""The panels of the main screen: each takes a run's state and shows it in the room it has."""

from __future__ import annotations

from fxtui.run.state import RunState
from fxtui.tui.lines import Line
from fxtui.tui.plotting import PlotSpec, plot_lines
from fxtui.tui.views.epochs import epoch_lines
from fxtui.tui.views.header import pipeline_lines, status_line, top_line
from fxtui.tui.views.log import log_lines
from fxtui.tui.views.plots import accuracy_spec, accuracy_title, loss_spec, loss_title
from fxtui.tui.widgets.line_view import LineView


class Panel(LineView):
    """A panel shows a state; it keeps it, to draw itself again when its size or focus changes."""

    state: RunState | None = None

    def update(self, state: RunState) -> None:
        """Show this state."""
        self.state = state
        if self.size.width and self.display:
            self.draw(state)

    def draw(self, state: RunState) -> None:
        """Put the lines together; each panel does so in its own way."""

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.redraw()

    def on_focus(self) -> None:
        """Show the heading of the panel in focus."""
        self.redraw()

    def on_blur(self) -> None:
        """Show the heading as of any other."""
        self.redraw()

    def redraw(self) -> None:
        """Draw the state again, in the room and with the focus there is now."""
        if self.state is not None:
            self.update(self.state)


class PlotPanel(Panel, can_focus=True):
    """Loss or accuracy. The curve is computed only when what it shows has changed."""

    def __init__(self, what: str, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._what = what
        self._drawn: tuple[object, ...] = ()
        self._plot: list[Line] = []
        self.log_scale = False

    def draw(self, state: RunState) -> None:
        """Heading and curve."""
        width, height = self.size
        if self._what == "loss":
            heading = loss_title(state, width, self.log_scale, self.has_focus)
            spec: PlotSpec = loss_spec(state, self.log_scale, self._ascii)
        else:
            heading = accuracy_title(state, width, self.has_focus)
            spec = accuracy_spec(state, self._ascii)
        shown: tuple[object, ...] = (width, height, len(state.epochs), len(spec.marks), spec.x_max, self.log_scale)
        if len(state.epochs) < 2:
            shown = (*shown, len(state.series))
        if shown != self._drawn:
            self._drawn, self._plot = shown, plot_lines(spec, width, height - 1)
        self.show([heading, *self._plot])


class EpochPanel(Panel, can_focus=True):
    """The epoch table."""

    def draw(self, state: RunState) -> None:
        """Newest first, as many as fit."""
        self.show(epoch_lines(state, self.size.width, self.size.height, self.has_focus))


class LogPanel(Panel):
    """The last lines of the log."""

    def draw(self, state: RunState) -> None:
        """Newest first, as many as fit."""
        self.show(log_lines(state, self.size.width, self.size.height))


class HeaderPanel(Panel):
    """Which run, how it is going, and the pipeline. ``now`` is the present time in seconds since the epoch."""

    now: float = 0.0

    def __init__(self, screen_name: str, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._screen_name = screen_name

    def draw(self, state: RunState) -> None:
        """As many lines as there are; the pipeline goes first."""
        width, height = self.size
        lines = [top_line(state, self._screen_name, width), status_line(state, width, self.now)]
        if height > len(lines):
            lines += pipeline_lines(state, width)
        self.show(lines[:height])
