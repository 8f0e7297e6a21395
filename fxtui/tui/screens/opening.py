"""Makes a screen by its name, and imports it only then: the first paint waits for the main screen alone."""

from __future__ import annotations

from importlib import import_module

from fxtui.run.state import RunState
from fxtui.tui.look import Look
from fxtui.tui.screens.base import RunScreen


def open_screen(name: str, state: RunState, look: Look) -> RunScreen:
    """The screen ``name``, which is class ``NameScreen`` in the module of that name."""
    made: RunScreen = getattr(import_module(f"fxtui.tui.screens.{name}"), f"{name.capitalize()}Screen")(state, look)
    return made
