"""Makes a screen by its name, and imports it only then: the first paint waits for the main screen alone."""

from __future__ import annotations

from fxtui.run.state import RunState
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.dashboard.surroundings import Surroundings


def open_screen(name: str, state: RunState, surroundings: Surroundings) -> RunScreen:
    """The screen ``name``, one of those in the list of screens.

    Raises:
        KeyError: there is none of that name.
    """
    match name:
        case "main":
            from fxtui.tui.dashboard.screens.main import MainScreen

            return MainScreen(state, surroundings)
        case "layers":
            from fxtui.tui.dashboard.screens.layers import LayersScreen

            return LayersScreen(state, surroundings)
        case "predict":
            from fxtui.tui.dashboard.screens.predict import PredictScreen

            return PredictScreen(state, surroundings)
        case "confusion":
            from fxtui.tui.dashboard.screens.confusion import ConfusionScreen

            return ConfusionScreen(state, surroundings)
        case "runs":
            from fxtui.tui.dashboard.screens.runs import RunsScreen

            return RunsScreen(state, surroundings)
        case "log":
            from fxtui.tui.dashboard.screens.log import LogScreen

            return LogScreen(state, surroundings)
        case "system":
            from fxtui.tui.dashboard.screens.system import SystemScreen

            return SystemScreen(state, surroundings)
        case _:
            raise KeyError(name)
