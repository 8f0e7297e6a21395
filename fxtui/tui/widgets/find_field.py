"""A line to type a search in, at the foot of the screen."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class FindField(Input):
    """Hidden until it is opened. Enter keeps what was found, escape gives the search up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close(False)", "give up", show=False, id="find.give-up"),
        Binding("enter,down", "close(True)", "to what was found", show=False, id="find.keep"),
    ]

    class Closed(Message):
        """The search is over; ``kept``: what was found stays."""

        def __init__(self, kept: bool) -> None:
            super().__init__()
            self.kept = kept

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.cursor_blink = False
        self.display = False

    def open(self) -> None:
        """Show the field and type in it."""
        self.display = True
        self.focus()

    def action_close(self, keep: bool) -> None:
        """Hide the field."""
        # First, so that no key is typed into a field that nobody sees.
        self.blur()
        self.display = False
        if not keep:
            self.value = ""
        self.post_message(self.Closed(keep))
