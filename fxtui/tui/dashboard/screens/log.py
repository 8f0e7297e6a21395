"""The log screen: everything that was done, printed or warned of, searchable."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from fxtui.run.state import RunState
from fxtui.tui.dashboard.actions import bindings_on
from fxtui.tui.dashboard.layout import Layout, stack
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.views.footer import KeyHint
from fxtui.tui.views.log import found_lines, log_line, log_title
from fxtui.tui.widgets.find_field import FindField
from fxtui.tui.widgets.panels import Panel


class WholeLog(Panel, can_focus=True):
    """The log, the newest line last; it follows until one scrolls up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_by(-1)", show=False),
        Binding("down", "scroll_by(1)", show=False),
        Binding("pageup", "scroll_by(-10)", show=False),
        Binding("pagedown", "scroll_by(10)", show=False),
        Binding("home", "scroll_by(-1000000000)", show=False),
        Binding("end", "scroll_by(1000000000)", show=False),
    ]

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
        last = max(0, len(lines) - height + 1)
        first = last if self._first is None else min(self._first, last)
        heading = log_title(len(state.log), len(lines), self._found, width, self.has_focus)
        self.show([heading, *(log_line(entry, width) for entry in lines[first : first + height - 1])])

    def action_scroll_by(self, by: int) -> None:
        """Scroll by so many lines."""
        if self.state is None:
            return
        last = max(0, len(found_lines(self.state.log, self._found)) - self.size.height + 1)
        first = max(0, (last if self._first is None else self._first) + by)
        self._first = None if first >= last else first
        self.redraw()

    def on_mouse_scroll_down(self) -> None:
        """Three lines on."""
        self.action_scroll_by(3)

    def on_mouse_scroll_up(self) -> None:
        """Three lines back."""
        self.action_scroll_by(-3)


class LogScreen(RunScreen):
    """The whole log."""

    NAME = "log"
    HINTS = (KeyHint("↑↓", "scroll"), KeyHint("end", "newest"))
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_on("log"),
        Binding("escape", "show_all", "show all lines", show=False),
    ]

    def panels(self) -> tuple[Panel, ...]:
        """One."""
        self._log = WholeLog(id="whole-log", ascii_only=self.profile.ascii_only)
        return (self._log,)

    def compose(self) -> ComposeResult:
        """The frame, and the field for searching."""
        yield from super().compose()
        yield FindField(placeholder="text to find", id="find")

    def places(self, width: int, height: int) -> Layout:
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
