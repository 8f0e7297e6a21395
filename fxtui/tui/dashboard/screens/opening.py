"""Makes a screen by its name, and imports it only then: the first paint waits for the main screen alone."""

from __future__ import annotations

from importlib import import_module

from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.terminal.profile import TerminalProfile


def open_screen(name: str, state: RunState, profile: TerminalProfile, run: RunDirectory) -> RunScreen:
    """The screen ``name``, which is class ``NameScreen`` in the module of that name."""
    kind = getattr(import_module(f"fxtui.tui.dashboard.screens.{name}"), f"{name.capitalize()}Screen")
    made: RunScreen = kind(state, profile, run) if name == "runs" else kind(state, profile)
    return made
