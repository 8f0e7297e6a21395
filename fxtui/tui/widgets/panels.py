"""The panels of the main screen: each takes a run's state and shows it in the room it has."""

from __future__ import annotations

from fxtui.machine.meters import Meters
from fxtui.run.state import RunState
from fxtui.tui.views.epochs import epoch_lines
from fxtui.tui.views.header import Tabs, header_lines
from fxtui.tui.views.log import log_lines
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

    def __init__(self, tabs: Tabs, machine: Meters, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._tabs = tabs
        self._machine = machine

    def draw(self, state: RunState) -> None:
        """As many lines as there are; the pipeline goes first."""
        width, height = self.size
        machine = None if state.ended else self._machine.latest()
        self.show(header_lines(state, self._tabs, machine, self.now, width, height))
