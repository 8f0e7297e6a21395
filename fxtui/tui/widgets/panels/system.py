"""The machine's figures on the main screen, and in full on one of their own."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib import metadata

from fxtui.machine.meters import Meters
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory
from fxtui.text import numbers as formats
from fxtui.tui.terminal.traffic import TerminalUse, Traffic
from fxtui.tui.views.system import machine_lines, path_lines, system_panel_lines, terminal_lines
from fxtui.tui.widgets.panel import Panel

_PACKAGES = ("fxtui", "torch", "textual")


class SystemPanel(Panel):
    """Processor, memory, graphics, disk and what goes to the terminal, in four lines."""

    def __init__(self, machine: Meters, traffic: Traffic, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._machine = machine
        self._traffic = traffic

    def draw(self, state: RunState) -> None:
        """The newest figures."""
        width, height = self.size
        cache = state.cache.bytes if state.cache else None
        self.show(system_panel_lines(self._machine.latest(), cache, self._traffic.per_second, width, height))


class MachinePanel(Panel):
    """Everything that is known of the machine."""

    def __init__(self, machine: Meters, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._machine = machine

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """The newest figures and what they were."""
        sample, history = self._machine.latest(), self._machine.history()
        self.show(machine_lines(sample, history, self.size.width)[: self.size.height])


class TerminalPanel(Panel):
    """What the dashboard sends, and how often it draws. ``colors``: what colours are used, in words."""

    def __init__(self, terminal: Callable[[], TerminalUse], colors: str, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._terminal = terminal
        self._colors = colors

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """The newest figures."""
        width, height = self.size
        self.show(terminal_lines(self._terminal(), self._colors, self.screen.size, width)[:height])


class PathsPanel(Panel):
    """Where the run is kept."""

    def __init__(self, run: RunDirectory, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._rows = (
            ("run", str(run.path)),
            ("configuration", str(run.config)),
            ("journal", str(run.journal)),
            ("checkpoints", str(run.checkpoints)),
        )

    def draw(self, state: RunState) -> None:  # noqa: ARG002  # a panel's signature
        """Its files."""
        self.show(path_lines(self._rows, "Places", self.size.width))


class VersionsPanel(Panel):
    """What is installed. The versions are read from its metadata: nothing is imported for them."""

    _rows: tuple[tuple[str, str], ...] = ()

    def draw(self, state: RunState) -> None:
        """The versions; the run's own says which fxtui began it."""
        if not self._rows:
            found = tuple((name, _version(name)) for name in _PACKAGES)
            self._rows = (("python", platform.python_version()), *found)
        rows = (*self._rows, ("run begun by", f"fxtui {state.version}" if state.version else formats.NONE))
        self.show(path_lines(rows, "Versions", self.size.width))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return formats.NONE
