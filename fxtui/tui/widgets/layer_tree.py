"""The layer tree: stages, blocks, layers, with a cursor and folds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fxtui.protocol.events import LayerRow
from fxtui.run.state import RunState
from fxtui.tui.views.layers import Visible, frontier_at, layer_lines, layers_title
from fxtui.tui.widgets.cursor_list import HEAD, MOVES
from fxtui.tui.widgets.panels import Panel

# Rows that stay in sight beyond the cursor.
_CONTEXT = 3


class LayerTree(Panel, can_focus=True):
    """Shows the layer table as a tree. Arrows move and fold; a click moves the cursor, one on the mark toggles."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
        Binding("right", "fold(False)", show=False),
        Binding("left", "fold(True)", show=False),
    ]

    class ToggleWanted(Message):
        """The user clicked on a layer's mark."""

        def __init__(self, row: LayerRow) -> None:
            super().__init__()
            self.row = row

    class Moved(Message):
        """The cursor stands on another layer."""

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._open: set[str] = set()
        self._cursor: str | None = None
        self._found = ""
        self.asked: Mapping[str, bool] = {}
        self._top = 0
        self._visible: list[Visible] = []
        self._shown_rows: list[int | None] = []

    @property
    def selected(self) -> LayerRow | None:
        """The layer under the cursor."""
        return next((row for row, _, _ in self._visible if row.path == self._cursor), None)

    def find(self, text: str) -> None:
        """Show the layers whose path holds a text, without their tree; nothing: all of them again."""
        self._found = text
        self.redraw()

    def show_asked(self, layers: Mapping[str, bool]) -> None:
        """Mark the layers that were asked to change and have not changed yet."""
        self.asked = layers
        self.redraw()

    def draw(self, state: RunState) -> None:
        """The heading, and as many rows around the cursor as fit."""
        self._visible = _found_rows(state.layers, self._found) if self._found else _tree_rows(state.layers, self._open)
        if self._cursor is None or self.selected is None:
            frozen = [row.path for row, depth, _ in self._visible if depth == 0 and row.trainable == "none"]
            self._cursor = frozen[-1] if frozen else (self._visible[0][0].path if self._visible else None)
        width, height = self.size
        cursor = next((at for at, (row, _, _) in enumerate(self._visible) if row.path == self._cursor), -1)
        heads, *body = layer_lines(state, self._visible, width, cursor, self.asked, self._ascii)
        rows: list[int | None] = list(range(len(self._visible)))
        # The frontier's line stands among the rows without being one.
        if len(body) > len(rows) and (frontier := frontier_at(self._visible)) is not None:
            rows.insert(frontier, None)
        room = max(1, height - HEAD)
        line = rows.index(cursor) if cursor in rows else 0
        below = min(_CONTEXT, room // 2)
        self._top = max(min(self._top, line - below), line - room + 1 + below, 0)
        self._top = min(self._top, max(0, len(body) - room))
        self._shown_rows = rows[self._top : self._top + room]
        heading = layers_title(state, width, self.has_focus, self._found)
        self.show([heading, heads, *body[self._top : self._top + room]])

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        if not self._visible:
            return
        paths = [row.path for row, _, _ in self._visible]
        at = paths.index(self._cursor) if self._cursor in paths else 0
        self._put(paths[max(0, min(len(paths) - 1, at + by))])

    def action_fold(self, close: bool) -> None:
        """Open the block under the cursor, or close it; closing a closed one goes to its parent."""
        row = self.selected
        if row is None or self.state is None:
            return
        if not close:
            self._open.add(row.path)
        elif row.path in self._open:
            self._open.discard(row.path)
        else:
            parents = [r.path for r, _, _ in self._visible if row.path.startswith(r.path + ".")]
            self._put(parents[-1] if parents else row.path)
        self.redraw()

    def _put(self, path: str) -> None:
        if path != self._cursor:
            self._cursor = path
            self.redraw()
            self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; on its mark, ask for a toggle."""
        at = event.y - HEAD
        if 0 <= at < len(self._shown_rows) and (index := self._shown_rows[at]) is not None:
            row = self._visible[index][0]
            self._put(row.path)
            if event.x < 4:
                self.post_message(self.ToggleWanted(row))

    def on_mouse_scroll_down(self) -> None:
        """Scroll with the cursor."""
        self.action_move(1)

    def on_mouse_scroll_up(self) -> None:
        """Scroll with the cursor."""
        self.action_move(-1)


def _found_rows(rows: list[LayerRow], text: str) -> list[Visible]:
    return [(row, 0, "") for row in rows if text.lower() in row.path.lower() or text.lower() in row.kind.lower()]


def _tree_rows(rows: list[LayerRow], opened: set[str]) -> list[Visible]:
    """Stages, the head, and what is unfolded below them, with depth and fold mark."""
    tops = [row for row in rows if row.is_stage or row.is_head]
    found: list[Visible] = []
    for top in tops:
        below = [row for row in rows if row.path.startswith(top.path + ".")]
        found += _unfolded(top, below, 0, opened)
    return found


def _unfolded(row: LayerRow, below: list[LayerRow], depth: int, opened: set[str]) -> list[Visible]:
    mark = "" if not below else "▾" if row.path in opened else "▸"
    found = [(row, depth, mark)]
    if row.path in opened:
        children = [r for r in below if not any(r.path.startswith(o.path + ".") for o in below)]
        for child in children:
            inside = [r for r in below if r.path.startswith(child.path + ".")]
            found += _unfolded(child, inside, depth + 1, opened)
    return found
