"""The system screen: the machine, what goes over the line to the terminal, versions, and where the run is kept."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from fxtui.tui.dashboard.actions import bindings_on
from fxtui.tui.dashboard.layout import Layout, stack
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.panels.system import MachinePanel, PathsPanel, TerminalPanel, VersionsPanel


class SystemScreen(RunScreen):
    """What the run has to work with, and what the dashboard takes of it."""

    NAME = "system"
    LIVE = True
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_on("system")]

    def panels(self) -> tuple[Panel, ...]:
        """One below the other."""
        plain, around = self.profile.ascii_only, self.surroundings
        return (
            MachinePanel(around.machine, id="machine", ascii_only=plain),
            TerminalPanel(around.terminal, around.colors, id="terminal", ascii_only=plain),
            PathsPanel(around.run, id="paths", ascii_only=plain),
            VersionsPanel(id="versions", ascii_only=plain),
        )

    def panel_layout(self, width: int, height: int) -> Layout:
        """The machine takes what the others leave."""
        return stack(0, width, height, (("machine", 6, 1), ("terminal", 6, 0), ("paths", 6, 0), ("versions", 7, 0)))
