"""Standard input, output and error: whether they are a terminal, and that they may go away at any time."""

from __future__ import annotations

import contextlib
import os
import sys


def has_terminal() -> bool:
    """Whether a dashboard can be shown: a terminal for keys and for the screen that can move its cursor."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def complain(text: str) -> None:
    """One line on standard error; if that is gone, none."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"fxtui: {' '.join(text.split())}\n")
        sys.stderr.flush()


def discard_stdout() -> None:
    """Point standard output at nothing, so that flushing it at exit cannot fail again."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
