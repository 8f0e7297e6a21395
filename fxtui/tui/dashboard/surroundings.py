"""What a screen is told of beside the run's state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fxtui.machine.meters import Meters
from fxtui.run.store import RunDirectory
from fxtui.tui.terminal.profile import TerminalProfile
from fxtui.tui.terminal.traffic import TerminalUse, Traffic


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the run is kept, and the machine and the terminal it is watched on. ``colors``: those used, in words."""

    profile: TerminalProfile
    run: RunDirectory
    machine: Meters
    traffic: Traffic
    terminal: Callable[[], TerminalUse]
    colors: str
