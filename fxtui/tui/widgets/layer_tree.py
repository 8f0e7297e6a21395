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
from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.scrolling_list import ScrollingList

# Rows that stay in sight beyond the cursor, and cells that count as a layer's mark.
_CONTEXT, _MARK = 3, 4


class LayerTree(Panel, ScrollingList, can_focus=True):
    """Shows the layer table as a tree. Arrows move and fold; a click moves the cursor, one on the mark toggles."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "fold(False)", show=False, id="tree.unfold"),
        Binding("left", "fold(True)", show=False, id="tree.fold"),
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
        self.pending: Mapping[str, bool] = {}
        self._visible: list[Visible] = []
        # The frontier's line stands among the rows without being one of the layers.
        self._rows: list[int | None] = []

    @property
    def selected(self) -> LayerRow | None:
        """The layer under the cursor."""
        return next((row for row, _, _ in self._visible if row.path == self._cursor), None)

    @property
    def count(self) -> int:
        """How many layers are folded out or found."""
        return len(self._visible)

    @property
    def position(self) -> int:
        """The number of the layer under the cursor."""
        return next((at for at, (row, _, _) in enumerate(self._visible) if row.path == self._cursor), 0)

    def entry_at(self, row: int) -> int | None:
        """The number of the layer in a row."""
        return self._rows[row] if row < len(self._rows) else None

    def go(self, to: int) -> None:
        """Put the cursor there."""
        path = self._visible[to][0].path
        if path != self._cursor:
            self._cursor = path
            self.redraw()
            self.post_message(self.Moved())

    def pick(self, entry: int, event: events.Click) -> None:
        """Put the cursor on the row; on its mark, ask for a toggle."""
        row = self._visible[entry][0]
        self.go(entry)
        if event.x < _MARK:
            self.post_message(self.ToggleWanted(row))

    def find(self, text: str) -> None:
        """Show the layers whose path holds a text, without their tree; nothing: all of them again."""
        self._found = text
        self.redraw()

    def show_pending(self, layers: Mapping[str, bool]) -> None:
        """Mark the layers that were asked to change and have not changed yet."""
        self.pending = layers
        self.redraw()

    def draw(self, state: RunState) -> None:
        """The heading, and as many rows around the cursor as fit."""
        self._visible = _found_rows(state.layers, self._found) if self._found else _tree_rows(state.layers, self._open)
        if self._cursor is None or self.selected is None:
            frozen = [row.path for row, depth, _ in self._visible if depth == 0 and row.trainable == "none"]
            self._cursor = frozen[-1] if frozen else (self._visible[0][0].path if self._visible else None)
        width, height = self.size
        cursor = next((at for at, (row, _, _) in enumerate(self._visible) if row.path == self._cursor), -1)
        heads, *body = layer_lines(state, self._visible, width, cursor, self.pending, self._ascii)
        rows: list[int | None] = list(range(len(self._visible)))
        if len(body) > len(rows) and (frontier := frontier_at(self._visible)) is not None:
            rows.insert(frontier, None)
        self._rows = rows
        room = max(1, height - self.HEAD)
        line = rows.index(cursor) if cursor in rows else 0
        around = min(_CONTEXT, room // 2)
        self._top = min(self.keep_in_sight(line - around, line + around), max(0, len(body) - room))
        heading = layers_title(state, width, self.has_focus, self._found)
        self.show([heading, heads, *body[self._top : self._top + room]])

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
            parents = [at for at, (it, _, _) in enumerate(self._visible) if row.path.startswith(it.path + ".")]
            self.go(parents[-1] if parents else self.position)
        self.redraw()


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
