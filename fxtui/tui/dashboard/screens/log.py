"""The log screen: everything that was done, printed or warned of, searchable."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from fxtui.tui.dashboard.actions import bindings_on
from fxtui.tui.dashboard.layout import Layout, stack
from fxtui.tui.dashboard.owners import ActsOnLog
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.views.footer import KeyHint
from fxtui.tui.widgets.find_field import FindField
from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.whole_log import WholeLog


class LogScreen(RunScreen, ActsOnLog):
    """The whole log."""

    NAME = "log"
    HINTS = (KeyHint("↑↓", "scroll"), KeyHint("end", "newest"))
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_on("log"),
        Binding("escape", "show_all", "show all lines", show=False, id="show-all"),
    ]

    def panels(self) -> tuple[Panel, ...]:
        """One."""
        self._log = WholeLog(id="whole-log", ascii_only=self.profile.ascii_only)
        return (self._log,)

    def compose(self) -> ComposeResult:
        """The frame, and the field for searching."""
        yield from super().compose()
        yield FindField(placeholder="text to find", id="find")

    def panel_layout(self, width: int, height: int) -> Layout:
        """All the room there is."""
        return stack(0, width, height, (("whole-log", height, 0),))

    def do_find_line(self) -> None:
        """Ask for a text."""
        self.query_one(FindField).open()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what holds it, as it is typed."""
        self._log.find(event.value.strip())

    def on_find_field_closed(self, event: FindField.Closed) -> None:
        """Back to the log."""
        if not event.kept:
            self._log.find("")
        self._log.focus()

    def action_show_all(self) -> None:
        """Give up the search."""
        self.query_one(FindField).value = ""
        self._log.find("")
