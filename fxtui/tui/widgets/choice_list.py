"""A list to choose from: headings between, a cursor on entries only, scrolled so that the cursor is in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fxtui.text.lines import Line, fit
from fxtui.tui.widgets.line_view import LineView


class ChoiceList(LineView, can_focus=True):
    """Shows lines, of which some can be chosen; posts where the cursor is, and what was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("home", "move(-100000)", show=False),
        Binding("end", "move(100000)", show=False),
        Binding("enter", "choose", show=False),
    ]

    class Moved(Message):
        """The cursor is on another entry, or the entries are others."""

    class Chosen(Message):
        """The entry under the cursor is wanted."""

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._all: Sequence[Line] = ()
        self._places: Sequence[int] = ()
        self._top = 0
        self.cursor = 0

    def set_rows(self, lines: Sequence[Line], choosable: Sequence[int], cursor: int) -> None:
        """Show these lines; ``choosable`` are positions in them, ``cursor`` is a position in ``choosable``."""
        self._all, self._places = lines, choosable
        self.cursor = max(0, min(cursor, len(choosable) - 1))
        self._draw()

    def action_move(self, by: int) -> None:
        """Move the cursor by so many entries, as far as there are any."""
        self._go(self.cursor + by)

    def action_choose(self) -> None:
        """What the enter key does."""
        if self._places:
            self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; one on the entry that has it chooses."""
        row = self._top + event.y
        if row in self._places:
            place = list(self._places).index(row)
            if place == self.cursor:
                self.action_choose()
            else:
                self._go(place)

    def on_mouse_scroll_down(self, _event: events.MouseScrollDown) -> None:
        """The wheel moves the cursor."""
        self.action_move(1)

    def on_mouse_scroll_up(self, _event: events.MouseScrollUp) -> None:
        """The wheel moves the cursor."""
        self.action_move(-1)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._draw()

    def _go(self, place: int) -> None:
        place = max(0, min(place, len(self._places) - 1))
        if place != self.cursor:
            self.cursor = place
            self._draw()
            self.post_message(self.Moved())

    def _draw(self) -> None:
        width, height = self.size
        if not width or not self._places:
            self.show(self._all)
            return
        row = self._places[self.cursor]
        # The heading above the first entry of a section comes into sight with it.
        least = row - 1 if row - 1 not in self._places and row else row
        least = 0 if self.cursor == 0 else least
        self._top = max(0, min(self._top, least))
        self._top = max(self._top, row - height + 1)
        shown = list(self._all[self._top : self._top + height])
        at = row - self._top
        if 0 <= at < len(shown):
            shown[at] = tuple((text, "selected") for text, _ in fit(shown[at], width))
        self.show(shown)
