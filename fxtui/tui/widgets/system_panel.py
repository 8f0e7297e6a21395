"""The machine's figures on the main screen, and in full on one of their own."""

from __future__ import annotations

from fxtui.run.state import RunState
from fxtui.tui.frugal import FrugalApp
from fxtui.tui.system_views import machine_lines, system_panel_lines, terminal_lines
from fxtui.tui.widgets.panels import Panel


class SystemPanel(Panel):
    """Processor, memory, graphics, disk and what goes to the terminal, in four lines."""

    def draw(self, state: RunState) -> None:
        """The newest figures."""
        width, height = self.size
        app = self.app
        if isinstance(app, FrugalApp):
            cache = state.cache.bytes if state.cache else None
            self.show(system_panel_lines(app.machine.latest(), cache, app.traffic.per_second, width, height))


class MachinePanel(Panel):
    """Everything that is known of the machine."""

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """The newest figures and what they were."""
        app = self.app
        if isinstance(app, FrugalApp):
            sample, history = app.machine.latest(), app.machine.history()
            self.show(machine_lines(sample, history, self.size.width, self._ascii)[: self.size.height])


class TerminalPanel(Panel):
    """What the dashboard sends, and how often it draws."""

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """The newest figures."""
        app = self.app
        if isinstance(app, FrugalApp):
            use = app.terminal_use()
            self.show(
                terminal_lines(use, app.colors_told, (app.size.width, app.size.height), self.size.width)[
                    : self.size.height
                ]
            )
