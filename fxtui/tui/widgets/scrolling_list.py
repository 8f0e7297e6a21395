"""What every list does in the same way: keys, the wheel and clicks move through it, and the cursor stays in sight."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from fxtui.tui.widgets.line_view import LineView

_PAGE = 10
_ALL = 10**9


class ScrollingList(LineView, can_focus=True):
    """Rows below a heading. A list says how many entries it has, on which the cursor is, and how it gets to another.

    A row need not be an entry: :meth:`entry_at` tells which one a row is.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False, id="list.up"),
        Binding("down", "move(1)", show=False, id="list.down"),
        Binding("pageup", f"move(-{_PAGE})", show=False, id="list.page-up"),
        Binding("pagedown", f"move({_PAGE})", show=False, id="list.page-down"),
        Binding("home", f"move(-{_ALL})", show=False, id="list.first"),
        Binding("end", f"move({_ALL})", show=False, id="list.last"),
    ]
    # Lines above the rows, and entries that a turn of the wheel moves by.
    HEAD: ClassVar[int] = 2
    WHEEL: ClassVar[int] = 1

    _top = 0

    @property
    def count(self) -> int:
        """How many entries there are."""
        return 0

    @property
    def position(self) -> int:
        """The number of the entry under the cursor."""
        return 0

    def go(self, to: int) -> None:
        """Put the cursor on the entry of this number, which there is."""

    def entry_at(self, row: int) -> int | None:
        """The number of the entry in a row, counted from the first, in sight or not; None: it is not one."""
        return row if row < self.count else None

    def pick(self, entry: int, event: events.Click) -> None:  # noqa: ARG002  # a list may ask where the click was
        """A click on an entry."""
        self.go(entry)

    def keep_in_sight(self, first: int, last: int) -> int:
        """Scroll no more than it takes to see these rows, the last in any case; returns the first row that is seen."""
        self._top = max(0, min(self._top, first), last - max(1, self.size.height - self.HEAD) + 1)
        return self._top

    def action_move(self, by: int) -> None:
        """Move the cursor by so many entries, as far as there are any."""
        if self.count:
            self.go(max(0, min(self.count - 1, self.position + by)))

    def on_click(self, event: events.Click) -> None:
        """Find the entry in the line."""
        row = event.y - self.HEAD
        if row >= 0 and (entry := self.entry_at(row + self._top)) is not None:
            self.pick(entry, event)

    def on_mouse_scroll_down(self) -> None:
        """Scroll with the cursor."""
        self.action_move(self.WHEEL)

    def on_mouse_scroll_up(self) -> None:
        """Scroll with the cursor."""
        self.action_move(-self.WHEEL)
