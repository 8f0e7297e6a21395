"""The confusion matrix with a cursor, and what is evaluation beside it."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fxtui.run.state import RunState
from fxtui.text.lines import fit, title
from fxtui.tui.views.confusion import class_lines, confused_pairs, matrix_lines, pair_lines
from fxtui.tui.widgets.panel import Panel

_EMPTY = "comes after the first epoch"


def _names(state: RunState) -> tuple[str, ...]:
    return state.data.classes if state.data else ()


class MatrixPanel(Panel, can_focus=True):
    """Arrows move the cursor; it begins on the pair most often confused."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1, 0)", show=False, id="matrix.up"),
        Binding("down", "move(1, 0)", show=False, id="matrix.down"),
        Binding("left", "move(0, -1)", show=False, id="matrix.left"),
        Binding("right", "move(0, 1)", show=False, id="matrix.right"),
        Binding("pageup", "move(-10, 0)", show=False, id="matrix.page-up"),
        Binding("pagedown", "move(10, 0)", show=False, id="matrix.page-down"),
        Binding("home", "move(-100000, -100000)", show=False, id="matrix.first"),
        Binding("end", "move(100000, 100000)", show=False, id="matrix.last"),
    ]

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self.shares = False
        self._cursor: tuple[int, int] | None = None

    @property
    def cell(self) -> tuple[int, int] | None:
        """The cell under the cursor: true class, predicted class."""
        return self._cursor

    def draw(self, state: RunState) -> None:
        """The matrix of the last evaluation."""
        width, height = self.size
        evaluation = state.evaluation
        if evaluation is None:
            self.show([title("Confusion", (), (), width, self.has_focus), fit(((_EMPTY, "muted"),), width)])
            return
        if self._cursor is None:
            worst = confused_pairs(evaluation)
            self._cursor = worst[0][:2] if worst else (0, 0)
        cursor, shares, focused = self._cursor, self.shares, self.has_focus
        names = _names(state)
        self.show(matrix_lines(evaluation, names, width, height, cursor, shares=shares, focused=focused))

    def action_move(self, down: int, right: int) -> None:
        """Move the cursor."""
        evaluation = self.state.evaluation if self.state else None
        if evaluation is not None and self._cursor is not None:
            last = len(evaluation.support) - 1
            true, predicted = self._cursor
            self._cursor = max(0, min(last, true + down)), max(0, min(last, predicted + right))
            self.redraw()


class ClassPanel(Panel):
    """Precision, recall and F1 of every class."""

    def draw(self, state: RunState) -> None:
        """The worst first."""
        width, height = self.size
        if state.evaluation is None:
            self.show([title("Classes", (), (), width)])
        else:
            self.show(class_lines(state.evaluation, _names(state), width, height))


class PairPanel(Panel):
    """The pairs most often confused; a click shows their images."""

    class Picked(Message):
        """The user clicked on a pair."""

        def __init__(self, true: int, predicted: int) -> None:
            super().__init__()
            self.true = true
            self.predicted = predicted

    def draw(self, state: RunState) -> None:
        """As many as fit."""
        width, height = self.size
        if state.evaluation is None:
            self.show([title("Most confused", (), (), width)])
        else:
            self.show(pair_lines(state.evaluation, _names(state), width, height))

    def on_click(self, event: events.Click) -> None:
        """The pair in that line."""
        evaluation = self.state.evaluation if self.state else None
        pairs = confused_pairs(evaluation) if evaluation else []
        if 1 <= event.y <= len(pairs):
            self.post_message(self.Picked(*pairs[event.y - 1][:2]))


class SmallMatrix(Panel):
    """The matrix as a picture of the main screen; nothing in it can be moved."""

    def draw(self, state: RunState) -> None:
        """The matrix of the last evaluation."""
        width, height = self.size
        evaluation = state.evaluation
        if evaluation is None:
            self.show([title("Confusion", (), (), width), fit(((_EMPTY, "muted"),), width)])
            return
        self.show(matrix_lines(evaluation, _names(state), width, height, (-1, -1), shares=False, focused=False))
