"""The log."""

from __future__ import annotations

import time
from collections.abc import Sequence

from fxtui.run.state import LogLine, RunState
from fxtui.text import numbers as formats
from fxtui.text.lines import Line, fit, title

_ROLES = {"warning": "warn", "error": "error", "output": "muted", "info": ""}
_SIGNS = {"warning": "! ", "error": "✗ ", "output": "  ", "info": "  "}


def log_lines(state: RunState, width: int, height: int, focused: bool = False) -> list[Line]:
    """The last lines of the log, newest first."""
    lines: list[Line] = [title("Log", (), ((str(len(state.log)), "muted"),), width, focused)]
    lines += [log_line(entry, width) for entry in reversed(state.log[-max(height, 1) :])]
    return lines[:height]


def found_lines(log: Sequence[LogLine], text: str) -> list[LogLine]:
    """The lines that hold a text, whatever its case; nothing: all of them."""
    wanted = text.lower()
    return [entry for entry in log if wanted in entry.text.lower()] if wanted else list(log)


def log_title(total: int, found: int, text: str, width: int, focused: bool) -> Line:
    """The heading of the whole log."""
    if text:
        legend: Line = ((f"with “{text}”", "muted"),)
        return title("Log", legend, ((f"{found} of {formats.plural(total, 'line')}", "muted"),), width, focused)
    return title("Log", (), ((formats.plural(total, "line"), "muted"),), width, focused)


def log_line(entry: LogLine, width: int) -> Line:
    """When, how serious, what."""
    clock = time.strftime("%H:%M:%S", time.localtime(entry.t))
    return fit(((clock + " ", "muted"), (_SIGNS[entry.level] + entry.text, _ROLES[entry.level])), width)
