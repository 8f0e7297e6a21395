"""A widget that shows lines and sends to the terminal only those that changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from fxtui.text.glyphs import to_ascii
from fxtui.text.lines import PIXEL, Line, fit


class LineView(Widget):
    """Shows the lines it is given; its screen, a `LineScreen`, knows the roles' colours.

    ``ascii_only`` replaces every sign by its plain twin.
    """

    def __init__(self, *, id: str | None = None, ascii_only: bool = False) -> None:
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._ascii = ascii_only

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines from now on; what is the same as before is not drawn again."""
        new = [self._prepared(line) for line in lines]
        old, self._lines = self._lines, new
        for y in range(max(len(old), len(new))):
            before = old[y] if y < len(old) else None
            if before != (new[y] if y < len(new) else None):
                self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """One line as the terminal gets it."""
        base = self.rich_style
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, base)
        segments = [Segment(text, self._style(role, base)) for text, role in fit(self._lines[y], width)]
        return Strip(segments, width)

    def _prepared(self, line: Line) -> Line:
        return tuple((to_ascii(text), role) for text, role in line) if self._ascii else line

    def _style(self, role: str, base: Style) -> Style:
        if role.startswith(PIXEL):
            return _pixels(role)
        return base + self.screen.get_component_rich_style(f"fx--{role}", partial=True) if role else base


@lru_cache(maxsize=8192)
def _pixels(role: str) -> Style:
    return Style.parse(f"#{role[1:7]} on #{role[7:13]}")
