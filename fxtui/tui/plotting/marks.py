"""What lies on and between the curves: grid, vertical marks with labels, holes, the crosshair, the ends of overlays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from fxtui.text.lines import Piece
from fxtui.tui.plotting.braille_curves import EMPTY, Canvas
from fxtui.tui.plotting.scale import column_of, row_of
from fxtui.tui.plotting.spec import Curve, Limits, Mark

_LINE = "┊"
_GRID = "┈"
_FREE = (*EMPTY, _GRID)


def draw_grid(canvas: Canvas, rows: Iterable[int], ascii_only: bool) -> None:
    """A line through each of these rows, behind the curves."""
    for row in rows:
        for at, (char, _) in enumerate(canvas[row]):
            if char in EMPTY:
                canvas[row][at] = (" " if ascii_only else _GRID, "rule")


def draw_marks(canvas: Canvas, marks: Sequence[Mark], x_max: float) -> None:
    """Vertical lines behind the curves, each with a label where there is room; those of one column share one."""
    columns = len(canvas[0])
    places: dict[int, list[Mark]] = {}
    for mark in marks:
        column = column_of(mark.x, x_max, columns)
        if 0 <= column < columns:
            places.setdefault(column, []).append(mark)
    for column in places:
        for row in canvas:
            if _is_free(row[column]):
                row[column] = (_LINE, "muted")
    for column, found in places.items():
        more = f" +{len(found) - 1}" if len(found) > 1 else ""
        _ = _put(canvas, column, found[0].label + more) or _put(canvas, column, found[0].sign)


def _put(canvas: Canvas, column: int, text: str) -> bool:
    """Write a label beside its line, in the first row of the upper half that is free there, right or left."""
    for cells in canvas[: len(canvas) // 2 + 1]:
        for start in (column + 2, column - 1 - len(text)):
            end = start + len(text)
            beside = cells[column + 1 : end] if start > column else cells[max(0, start) : column]
            outside = cells[end : end + 1] if start > column else cells[max(0, start - 1) : max(0, start)]
            inside = start >= 0 and end <= len(cells)
            if inside and all(map(_is_free, beside)) and all(_is_free(cell) or cell[0] == _LINE for cell in outside):
                cells[start:end] = [(char, "muted") for char in text]
                return True
    return False


def _is_free(cell: Piece) -> bool:
    # A space within a label has the label's role.
    return cell[0] in _FREE and cell[1] != "muted"


def draw_holes(canvas: Canvas, holes: Iterable[float], x_max: float) -> None:
    """A sign in the lowest row wherever a figure was no number."""
    for x in holes:
        column = column_of(x, x_max, len(canvas[-1]))
        if 0 <= column < len(canvas[-1]):
            canvas[-1][column] = ("✗", "error")


def draw_crosshair(canvas: Canvas, x: float, x_max: float) -> None:
    """A thin line behind curves and words."""
    column = column_of(x, x_max, len(canvas[0]))
    for row in canvas:
        if 0 <= column < len(row) and (_is_free(row[column]) or row[column][0] == _LINE):
            row[column] = ("│", "accent")


def draw_end_label(canvas: Canvas, curve: Curve, label: str, x_max: float, limits: Limits) -> None:
    """The label of a curve after its last point, or in the nearest row that is free there."""
    ends = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
    if not ends:
        return
    columns, rows = len(canvas[0]), len(canvas)
    row = row_of(ends[-1][1], limits, rows)
    start = min(column_of(ends[-1][0], x_max, columns) + 1, columns - len(label))
    for there in (row, row - 1, row + 1, row - 2, row + 2):
        if 0 <= there < rows and start >= 0:
            cells = canvas[there]
            # A dot of an overlay may go, another label may not.
            if all(
                _is_free(cell) or (cell[1] == "muted" and not cell[0].isalnum()) for cell in cells[start:][: len(label)]
            ):
                cells[start : start + len(label)] = [(char, "muted") for char in label]
                return
