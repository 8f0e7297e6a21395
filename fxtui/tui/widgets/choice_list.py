"""A list to choose from: headings between, a cursor on entries only, scrolled so that the cursor is in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fxtui.text.lines import Line, fit
from fxtui.tui.widgets.scrolling_list import ScrollingList


class ChoiceList(ScrollingList):
    """Shows lines, of which some can be chosen; posts where the cursor is, and what was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "move(-1)", show=False, id="choices.up"),
        Binding("j", "move(1)", show=False, id="choices.down"),
        Binding("enter", "choose", show=False, id="choices.choose"),
    ]
    HEAD = 0

    class Moved(Message):
        """The cursor is on another entry, or the entries are others."""

    class Chosen(Message):
        """The entry under the cursor is wanted."""

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._rows: Sequence[Line] = ()
        self._choosable: Sequence[int] = ()
        self.cursor = 0

    def set_rows(self, lines: Sequence[Line], choosable: Sequence[int], cursor: int) -> None:
        """Show these lines; ``choosable`` are positions in them, ``cursor`` is a position in ``choosable``."""
        self._rows, self._choosable = lines, choosable
        self.cursor = max(0, min(cursor, len(choosable) - 1))
        self._draw()

    @property
    def count(self) -> int:
        """How many entries can be chosen."""
        return len(self._choosable)

    @property
    def position(self) -> int:
        """The number of the entry under the cursor."""
        return self.cursor

    def entry_at(self, row: int) -> int | None:
        """The number of the entry in a row; None: a heading."""
        return self._choosable.index(row) if row in self._choosable else None

    def go(self, to: int) -> None:
        """Put the cursor there."""
        if to != self.cursor:
            self.cursor = to
            self._draw()
            self.post_message(self.Moved())

    def pick(self, entry: int, event: events.Click) -> None:
        """A click moves the cursor; one on the entry that has it chooses."""
        if entry == self.cursor:
            self.action_choose()
        else:
            super().pick(entry, event)

    def action_choose(self) -> None:
        """What the enter key does."""
        if self._choosable:
            self.post_message(self.Chosen())

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._draw()

    def _draw(self) -> None:
        width, height = self.size
        if not width or not self._choosable:
            self.show(self._rows)
            return
        row = self._choosable[self.cursor]
        # The heading above the first entry of a section comes into sight with it.
        first = row - 1 if row - 1 not in self._choosable and row else row
        top = self.keep_in_sight(0 if self.cursor == 0 else first, row)
        shown = list(self._rows[top : top + height])
        at = row - top
        if 0 <= at < len(shown):
            shown[at] = tuple((text, "selected") for text, _ in fit(shown[at], width))
        self.show(shown)
