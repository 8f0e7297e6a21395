"""A list with a cursor that stays on its entry when the list changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fxtui.tui.widgets.panels import Panel

Entry = TypeVar("Entry")

# The heading and the column names.
HEAD = 2
MOVES: tuple[BindingType, ...] = (
    Binding("up", "move(-1)", show=False),
    Binding("down", "move(1)", show=False),
    Binding("pageup", "move(-10)", show=False),
    Binding("pagedown", "move(10)", show=False),
    Binding("home", "move(-1000000)", show=False),
    Binding("end", "move(1000000)", show=False),
)


class CursorList(Panel, Generic[Entry], can_focus=True):
    """Arrows, a click and the wheel move the cursor. What is drawn, and what an entry's key is, is the list's own."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVES]

    class Moved(Message):
        """The cursor stands on another entry."""

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self.entries: Sequence[Entry] = ()
        self._cursor: object = None
        self._top = 0

    def key_of(self, entry: Entry) -> object:
        """What tells an entry from the others."""
        raise NotImplementedError

    @property
    def selected(self) -> Entry | None:
        """The entry under the cursor."""
        return next((entry for entry in self.entries if self.key_of(entry) == self._cursor), None)

    def in_sight(self) -> tuple[int, int]:
        """The numbers of the entry under the cursor and of the first in sight; a lost cursor is put on the first."""
        if self.selected is None:
            self._cursor = self.key_of(self.entries[0]) if self.entries else None
        at = self._at()
        self._top = max(0, min(self._top, at), at - max(1, self.size.height - HEAD) + 1)
        return at, self._top

    def action_move(self, by: int) -> None:
        """Move the cursor by so many entries."""
        if self.entries:
            self._put(max(0, min(len(self.entries) - 1, self._at() + by)))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there."""
        at = event.y - HEAD + self._top
        if event.y >= HEAD and at < len(self.entries):
            self._put(at)

    def on_mouse_scroll_down(self) -> None:
        """Scroll with the cursor."""
        self.action_move(1)

    def on_mouse_scroll_up(self) -> None:
        """Scroll with the cursor."""
        self.action_move(-1)

    def _at(self) -> int:
        return next((n for n, entry in enumerate(self.entries) if self.key_of(entry) == self._cursor), 0)

    def _put(self, at: int) -> None:
        key = self.key_of(self.entries[at])
        if key != self._cursor:
            self._cursor = key
            self.redraw()
            self.post_message(self.Moved())
