"""The whole log, searchable."""

from __future__ import annotations

from fxtui.run.state import RunState
from fxtui.tui.views.log import found_lines, log_line, log_title
from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.scrolling_list import ScrollingList


class WholeLog(Panel, ScrollingList, can_focus=True):
    """The newest line last; it follows until one scrolls up. It has no cursor: the keys move what is in sight."""

    HEAD = 1
    WHEEL = 3

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._found = ""
        # The first line shown; None: the end, whatever comes.
        self._first: int | None = None

    def find(self, text: str) -> None:
        """Show the lines that hold a text; nothing: all of them."""
        self._found, self._first = text, None
        self.redraw()

    def draw(self, state: RunState) -> None:
        """The heading and the lines in sight."""
        width, height = self.size
        lines = found_lines(state.log, self._found)
        last = max(0, len(lines) - height + self.HEAD)
        first = last if self._first is None else min(self._first, last)
        heading = log_title(len(state.log), len(lines), self._found, width, self.has_focus)
        self.show([heading, *(log_line(entry, width) for entry in lines[first : first + height - self.HEAD])])

    def action_move(self, by: int) -> None:
        """Scroll by so many lines."""
        if self.state is None:
            return
        last = max(0, len(found_lines(self.state.log, self._found)) - self.size.height + self.HEAD)
        first = max(0, (last if self._first is None else self._first) + by)
        self._first = None if first >= last else first
        self.redraw()
