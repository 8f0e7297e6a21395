"""The small windows over the main screen: the question before quitting, the learning rate, the help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from rich.markup import escape
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from fxtui.text import numbers as formats
from fxtui.tui.dashboard.actions import SCREENS, actions_on
from fxtui.tui.views.footer import KeyHint

Answer = Literal["stop", "detach", "stay"]


class QuitDialog(ModalScreen[Answer]):
    """Asked while a run is going: stop it and save, leave it, or stay. ``others`` watch it, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # Who presses ctrl+c a second time means it.
        Binding("s,ctrl+c", "answer('stop')", "stop and save", id="quit.stop", priority=True),
        Binding("d", "answer('detach')", "detach", id="quit.detach"),
        Binding("escape,enter,n,q,ctrl+q", "answer('stay')", "stay", id="quit.stay", priority=True),
    ]

    def __init__(self, *, holds: bool = False, others: int = 0) -> None:
        super().__init__()
        self._going_on = "The run holds." if holds else "Training is going on."
        self._others = others

    def compose(self) -> ComposeResult:
        """The question and its answers."""
        with Vertical(classes="dialog"):
            yield Static(self._going_on, classes="heading")
            if self._others:
                others = "One more watches it" if self._others == 1 else f"{self._others} more watch it"
                yield Static(f"{others}, and would see it end.", id="others")
            yield Static("[b $primary]s[/]  stop now, save, and quit", id="answer-stop")
            yield Static("[b $primary]d[/]  leave: the run goes on without this terminal", id="answer-detach")
            yield Static("[b $primary]esc[/]  stay; enter does, too", id="answer-stay")

    def action_answer(self, answer: Answer) -> None:
        """Close with the answer."""
        self.dismiss(answer)

    def on_click(self, event: events.Click) -> None:
        """The answers can be clicked."""
        match event.widget and event.widget.id:
            case "answer-stop":
                self.dismiss("stop")
            case "answer-detach":
                self.dismiss("detach")
            case "answer-stay":
                self.dismiss("stay")


class ConfirmDialog(ModalScreen[bool]):
    """Asked before something is lost: what, and the word for it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", id="confirm.yes"),
        Binding("escape,n,q", "answer(False)", "no", id="confirm.no"),
    ]

    def __init__(self, question: str, loss: str, act: str) -> None:
        super().__init__()
        self._question, self._loss, self._act = question, loss, act

    def compose(self) -> ComposeResult:
        """The question, what would be lost, and the answers."""
        with Vertical(classes="dialog"):
            yield Static(escape(self._question), classes="heading")
            yield Static(escape(self._loss))
            yield Static(f"[b $primary]y[/]  {escape(self._act)}", id="answer-yes")
            yield Static("[b $primary]esc[/]  leave it", id="answer-no")

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)

    def on_click(self, event: events.Click) -> None:
        """The answers can be clicked."""
        match event.widget and event.widget.id:
            case "answer-yes":
                self.dismiss(True)
            case "answer-no":
                self.dismiss(False)


class LearningRateDialog(ModalScreen[float | None]):
    """Asks for a learning rate above 0."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "cancel", id="learning-rate.cancel")]

    def __init__(self, present: float | None) -> None:
        super().__init__()
        self._present = present

    def compose(self) -> ComposeResult:
        """A text field that starts with the present rate."""
        with Vertical(classes="dialog"):
            yield Static("Learning rate of the head", classes="heading")
            yield Input(value=formats.lr(self._present) if self._present else "", placeholder="e.g. 3e-4")
            yield Static("enter sets it, esc leaves it", id="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take a number above 0; say what is wrong with anything else."""
        try:
            value = float(event.value)
        except ValueError:
            value = 0.0
        if 0 < value < float("inf"):
            self.dismiss(value)
        else:
            # No markup: what was typed may hold brackets.
            said = Content(f"{event.value or 'nothing'}: expected a number above 0")
            self.query_one("#hint", Static).update(said)

    def action_close(self) -> None:
        """Leave the rate as it is."""
        self.dismiss(None)


class HelpDialog(ModalScreen[None]):
    """What works on one screen: its actions, its other keys, and the keys of every screen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "close", "close", id="help.close")]

    def __init__(self, screen_name: str, hints: Sequence[KeyHint]) -> None:
        super().__init__()
        self._screen_name = screen_name
        self._hints = hints

    def compose(self) -> ComposeResult:
        """A line for each key."""
        keys = [(action.shown, action.text) for action in actions_on(self._screen_name)]
        keys += [*((hint.key, hint.text) for hint in self._hints), ("1-7", "the screens"), ("^p", "command palette")]
        with Vertical(classes="dialog wide"):
            yield Static(f"Keys on {SCREENS[self._screen_name]}", classes="heading")
            with VerticalScroll():
                # No markup: a bracket is a key here.
                lines = [Content.styled(f"{key:>6}", "b $primary") + Content(f"  {text}") for key, text in keys]
                yield Static(Content("\n").join(lines))

    def action_close(self) -> None:
        """Back to the dashboard."""
        self.dismiss(None)
