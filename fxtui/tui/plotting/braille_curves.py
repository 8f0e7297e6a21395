"""The curves on a canvas of cells. The only module that knows plotext: axes, grid and marks are not its business."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from plotext._figure import _figure_class

from fxtui.text.lines import Piece
from fxtui.tui.plotting.scale import DOTS_X, DOTS_Y, dot_of
from fxtui.tui.plotting.spec import Curve, Limits

# A canvas is a list of rows from the top, each a list of cells: one sign and its role.
Canvas = list[list[Piece]]

EMPTY = (" ", "\u2800")
# Colours of plotext's, which stand for roles until its output is read back.
_COLOURS = {"train": 81, "val": 214, "muted": 245}
_ROLES = {str(number): role for role, number in _COLOURS.items()}
_SIGNS = {"train": "*", "val": "o", "muted": "."}
_ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")

# What of plotext is used, and the version in which it was read. A figure of one's own is private: the public
# functions share a single one.
READ_IN = "5.3.2"
METHODS = ("plot_size", "frame", "xfrequency", "yfrequency", "xlim", "ylim", "plot", "scatter", "build")


@dataclass(frozen=True, slots=True)
class _Grid:
    x_max: float
    limits: Limits
    columns: int
    rows: int
    ascii_only: bool

    def dot(self, x: float) -> int:
        return dot_of(x, self.x_max, self.columns)

    def height(self, y: float) -> float:
        return (y - self.limits[0]) / (self.limits[1] - self.limits[0])


def draw_curves(
    curves: Iterable[Curve], x_max: float, limits: Limits, columns: int, rows: int, ascii_only: bool
) -> Canvas:
    """The curves, few points each and y as drawn, in ``rows`` of ``columns`` cells; later ones lie on top.

    The role says how: ``train`` a line, ``val`` dashes, ``muted`` dots.
    """
    grid = _Grid(x_max, limits, columns, rows, ascii_only)
    figure = new_figure()
    figure.plot_size(columns, rows)
    figure.frame(False)
    figure.xfrequency(0)
    figure.yfrequency(0)
    figure.xlim(0, columns - 1 if ascii_only else columns * DOTS_X - 1)
    figure.ylim(0.0, 1.0)
    for curve in curves:
        options = {
            "marker": _SIGNS[curve.role] if ascii_only else "braille",
            "color": _COLOURS[curve.role],
        }
        for points in _segments(curve, grid):
            drawn = points if curve.role == "train" else _broken(points, curve.role, grid)
            xs = [x // DOTS_X if ascii_only else x for x, _ in drawn]
            ys = [y for _, y in drawn]
            if curve.role == "train" and len(xs) > 1:
                figure.plot(xs, ys, **options)
            elif xs:
                figure.scatter(xs, ys, **options)
    return _parse(figure.build(), columns, rows)


def new_figure() -> Any:
    """A figure of plotext's with nothing on it."""
    return _figure_class()


def _segments(curve: Curve, grid: _Grid) -> list[list[tuple[int, float]]]:
    """The stretches between gaps, as dots from the left and heights from 0 to 1."""
    segments: list[list[tuple[int, float]]] = []
    open_ = False
    for x, y in zip(curve.x, curve.y, strict=True):
        if math.isfinite(y):
            if not open_:
                segments.append([])
            segments[-1].append((grid.dot(x), grid.height(y)))
        open_ = math.isfinite(y)
    return segments


def _broken(points: list[tuple[int, float]], role: str, grid: _Grid) -> list[tuple[int, float]]:
    """Points along a line with parts left out, by their place alone, so that a dash never moves."""
    if len(points) == 1:
        return points
    sparse = points[-1][0] - points[0][0] >= len(points) * DOTS_X * 3
    drawn = list(points) if sparse and role == "val" else [points[0], points[-1]]
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = max(1, x1 - x0, math.ceil(abs(y1 - y0) * (grid.rows * DOTS_Y - 1)))
        for k in range(steps):
            dot = x0 + round((x1 - x0) * k / steps)
            if _is_drawn(dot, role, grid.ascii_only):
                drawn.append((dot, y0 + (y1 - y0) * k / steps))
    return drawn


def _is_drawn(dot: int, role: str, ascii_only: bool) -> bool:
    if role == "muted":
        return dot % (2 * DOTS_X if ascii_only else 3) == 0
    return dot // DOTS_X % 3 == 0 if ascii_only else dot // DOTS_X % 3 != 2


def _parse(text: str, columns: int, rows: int) -> Canvas:
    """plotext's output, an ANSI string, as cells with roles."""
    canvas: Canvas = []
    for line in text.split("\n")[:rows]:
        cells: list[Piece] = []
        role, end = "", 0
        for match in _ESCAPE.finditer(line):
            cells += [(char, role) for char in line[end : match.start()]]
            end = match.end()
            role = _ROLES.get(match[1].rpartition(";")[2], "") if match[1].startswith("38") else ""
        cells += [(char, role) for char in line[end:]]
        canvas.append([*cells, *[(" ", "")] * columns][:columns])
    return [*canvas, *[[(" ", "")] * columns for _ in range(rows - len(canvas))]]
