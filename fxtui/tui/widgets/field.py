"""A text field of one line that can offer a list: it opens below, narrows as one types, and closes again."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, OptionList

from fxtui.text.lines import Line
from fxtui.tui.widgets.line_view import LineView

_ARROW: Line = ((" ▾", "muted"),)


class _Text(Input):
    """The text itself. Keys that a form needs are the form's."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c,super+c", "copy", show=False, id="text.copy")]

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """All that prints belongs to the text."""
        return key not in ("up", "down", "escape", "f5") and super().check_consume_key(key, character)


class TextField(Vertical):
    """A text field. ``offers`` are what its list holds; without any there is no list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "down", show=False, priority=True, id="field.down"),
        Binding("up", "up", show=False, priority=True, id="field.up"),
        Binding("enter", "take", show=False, priority=True, id="field.take"),
        Binding("escape", "escape", show=False, priority=True, id="field.escape"),
    ]

    class Changed(Message):
        """Another text stands in the field."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Opened(Message):
        """The list was opened or closed."""

    class StepWanted(Message):
        """The next field (1) or the one before (-1)."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    class Left(Message):
        """The escape key, with no list open."""

    def __init__(self, key: str, text: str, *, has_list: bool, ascii_only: bool) -> None:
        super().__init__(id=f"field-{key.replace('.', '-')}")
        self.key = key
        self.offers: tuple[str, ...] = ()
        self._has_list = has_list
        self._known = text
        self._sought = ""
        self._text = _Text(text, compact=True)
        self._text.cursor_blink = False
        self._arrow = LineView(ascii_only=ascii_only)
        self._list = OptionList(compact=True, markup=False)
        self._list.can_focus = False

    def offer(self, offers: tuple[str, ...]) -> None:
        """What the list holds from now on; one that is open shows it."""
        if offers != self.offers:
            self.offers = offers
            if self.is_open:
                self._open(self._sought)

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self._text.value

    @property
    def is_open(self) -> bool:
        """Whether the list is."""
        return bool(self._list.display)

    def compose(self) -> ComposeResult:
        """The text, the mark of a list, and the list, which opens over what is below."""
        self._list.display = False
        with Horizontal():
            yield self._text
            yield self._arrow
        yield self._list

    def on_mount(self) -> None:
        """Only a field with a list has its mark."""
        self._arrow.show([_ARROW] if self._has_list else [])

    def focus_text(self) -> None:
        """Put the cursor into the text."""
        self._text.focus()

    def set_text(self, text: str) -> None:
        """Put another text in, as if it had been typed."""
        self._text.value = text
        self._text.cursor_position = len(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list and tell the form."""
        event.stop()
        if event.value == self._known:
            return
        self._known = event.value
        if self._has_list and self._text.has_focus:
            self._open(event.value)
        self.post_message(self.Changed(self.key))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click on what the list holds."""
        event.stop()
        self._take(str(event.option.prompt))

    def on_click(self, event: events.Click) -> None:
        """The mark opens and closes the list."""
        if event.widget is self._arrow and self._has_list:
            self.focus_text()
            self.close() if self.is_open else self._open("")

    def on_descendant_blur(self) -> None:
        """A list without its field has no use."""
        self.close()

    def action_down(self) -> None:
        """Into the list, or to the next field."""
        if self.is_open:
            self._list.action_cursor_down()
        elif self._has_list:
            self._open("")
        else:
            self.post_message(self.StepWanted(1))

    def action_up(self) -> None:
        """Up the list, or to the field before."""
        if self.is_open:
            self._list.action_cursor_up()
        else:
            self.post_message(self.StepWanted(-1))

    def action_take(self) -> None:
        """Take what the list shows, or go to the next field."""
        at = self._list.highlighted
        if self.is_open and at is not None:
            self._take(str(self._list.get_option_at_index(at).prompt))
        else:
            self.close()
            self.post_message(self.StepWanted(1))

    def action_escape(self) -> None:
        """Close the list, or leave the form."""
        if self.is_open:
            self.close()
        else:
            self.post_message(self.Left())

    def close(self) -> None:
        """Close the list."""
        if self.is_open:
            self._list.display = False
            self.post_message(self.Opened())

    def _open(self, typed: str) -> None:
        self._sought = typed
        words = typed.lower().split()
        fitting = [offer for offer in self.offers if all(word in offer.lower() for word in words)]
        fitting.sort(key=lambda offer: not offer.lower().startswith(typed.lower()))
        if not fitting or fitting == [typed]:
            self.close()
            return
        self._list.set_options(fitting)
        present = fitting.index(self.text) if self.text in fitting else None
        self._list.highlighted = present if present is not None or not typed else None
        if not self.is_open:
            self._list.display = True
            self.post_message(self.Opened())

    def _take(self, text: str) -> None:
        self.set_text(text)
        self._known = text
        self.close()
        self.post_message(self.Changed(self.key))
