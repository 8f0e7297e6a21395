"""What every panel does: it shows a run's state in the room it has."""

from __future__ import annotations

from fxtui.run.state import RunState
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
