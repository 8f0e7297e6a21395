"""The log."""

from __future__ import annotations

import time

from fxtui.run.state import RunState
from fxtui.tui.lines import Line, fit, title


def log_lines(state: RunState, width: int, height: int, focused: bool = False) -> list[Line]:
    """The last lines of the log, newest first."""
    roles = {"warning": "warn", "error": "error", "output": "muted", "info": ""}
    lines: list[Line] = [title("Log", (), ((str(len(state.log)), "muted"),), width, focused)]
    for entry in reversed(state.log[-max(height, 1) :]):
        clock = time.strftime("%H:%M:%S", time.localtime(entry.t))
        lines.append(fit(((clock + "  ", "muted"), (entry.text, roles[entry.level])), width))
    return lines[:height]
