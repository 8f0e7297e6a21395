"""A list with a cursor that stays on its entry when the list changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from textual.message import Message

from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.scrolling_list import ScrollingList

Entry = TypeVar("Entry")


class CursorList(Panel, ScrollingList, Generic[Entry], can_focus=True):
    """A panel of entries. What is drawn, and what an entry's key is, is the list's own."""

    class Moved(Message):
        """The cursor stands on another entry."""

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self.entries: Sequence[Entry] = ()
        self._cursor: object = None

    def key_of(self, entry: Entry) -> object:
        """What tells an entry from the others."""
        raise NotImplementedError

    @property
    def selected(self) -> Entry | None:
        """The entry under the cursor."""
        return next((entry for entry in self.entries if self.key_of(entry) == self._cursor), None)

    @property
    def count(self) -> int:
        """How many entries there are."""
        return len(self.entries)

    @property
    def position(self) -> int:
        """The number of the entry under the cursor."""
        return next((n for n, entry in enumerate(self.entries) if self.key_of(entry) == self._cursor), 0)

    def in_sight(self) -> tuple[int, int]:
        """The numbers of the entry under the cursor and of the first in sight; a lost cursor is put on the first."""
        if self.selected is None:
            self._cursor = self.key_of(self.entries[0]) if self.entries else None
        at = self.position
        return at, self.keep_in_sight(at, at)

    def go(self, to: int) -> None:
        """Put the cursor there."""
        key = self.key_of(self.entries[to])
        if key != self._cursor:
            self._cursor = key
            self.redraw()
            self.post_message(self.Moved())
