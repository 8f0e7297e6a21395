"""Lines that stand in a terminal and are written again in place, where they differ from the last ones."""

from __future__ import annotations

import os
import shutil
import sys

from rich.cells import cell_len, set_cell_size


def can_redraw() -> bool:
    """Whether standard output is a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def redrawing(before: list[str], after: list[str]) -> str:
    """What to send so that a terminal that shows the one shows the other; the cursor stands below the last line.

    No line may be longer than the terminal is wide, and together they must be fewer than it has rows.
    """
    if before == after:
        return ""
    sent = [f"\x1b[{len(before)}A"] if before else []
    for at, line in enumerate(after):
        # Below what stood there, a line feed makes room; a move would not.
        if at < len(before) and before[at] == line:
            sent.append("\x1b[1B")
        else:
            sent.append(f"\r{line}\x1b[K\n")
    sent.append("\r\x1b[J")
    return "".join(sent)


class Redrawn:
    """The lines that stand in the terminal now. What it has no room for is left out: of the middle, not of the end."""

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._size = (0, 0)

    def show(self, lines: list[str]) -> None:
        """Have the terminal show these lines; the first is a heading."""
        width, height = shutil.get_terminal_size()
        room = max(2, height - 1)
        if len(lines) > room:
            lines = [lines[0], *lines[len(lines) - room + 1 :]]
        lines = [line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…" for line in lines]
        if self._size not in ((0, 0), (width, height)):
            # Its lines stand anywhere now.
            sys.stdout.write("\x1b[H\x1b[2J")
            self._shown = []
        self._size = (width, height)
        sys.stdout.write(redrawing(self._shown, lines))
        sys.stdout.flush()
        self._shown = lines
