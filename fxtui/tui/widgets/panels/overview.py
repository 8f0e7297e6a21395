"""The header of every screen, and the panels that tell how it went: the epochs, and the last of the log."""

from __future__ import annotations

from fxtui.machine.meters import Meters
from fxtui.run.state import RunState
from fxtui.tui.views.epochs import epoch_lines
from fxtui.tui.views.header import RunView, Tabs, header_lines
from fxtui.tui.views.log import log_lines
from fxtui.tui.widgets.panel import Panel


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
    # What keeps the run from being heard of, and whether nothing can be changed from here.
    trouble: str = ""
    read_only: bool = False

    def __init__(self, tabs: Tabs, machine: Meters, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._tabs = tabs
        self._machine = machine

    def draw(self, state: RunState) -> None:
        """As many lines as there are; the pipeline goes first."""
        width, height = self.size
        machine = None if state.ended else self._machine.latest()
        view = RunView(self.now, self.trouble, self.read_only)
        self.show(header_lines(state, self._tabs, machine, view, width, height))
