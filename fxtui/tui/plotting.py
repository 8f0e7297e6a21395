"""Curves: the only module that knows plotext. It draws the canvas; axes, grid and marks are ours."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from plotext._figure import _figure_class

from fxtui.tui.lines import Line, Piece, fit

_COLOURS = {"train": 81, "val": 214}
_ROLES = {str(number): role for role, number in _COLOURS.items()}
_ESCAPE = re.compile(r"\x1b\[([0-9;]*)m")
_GUTTER = 6
_EMPTY = {" ", "\u2800"}
_POINTS_PER_COLUMN = 2


@dataclass(frozen=True, slots=True)
class Curve:
    """Points by rising x; NaN in y is a gap. ``role`` is ``train`` or ``val``."""

    role: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class PlotSpec:
    """What a plot shows. ``marks`` are (x, text) of vertical lines; ``percent`` labels the y axis in per cent."""

    curves: tuple[Curve, ...]
    x_max: float
    marks: tuple[tuple[float, str], ...] = ()
    log: bool = False
    percent: bool = False
    ascii_only: bool = False
    empty: str = "first point after epoch 1"


def reduce_points(x: Sequence[float], y: Sequence[float], columns: int) -> tuple[list[float], list[float]]:
    """At most two points a column, the smallest and the largest of each, in their order; gaps stay gaps."""
    if len(x) <= columns * _POINTS_PER_COLUMN:
        return list(x), list(y)
    size = len(x) / columns
    kept: list[int] = []
    for column in range(columns):
        part = range(int(column * size), min(len(x), int((column + 1) * size)))
        finite = [i for i in part if math.isfinite(y[i])]
        if finite:
            kept += sorted({min(finite, key=y.__getitem__), max(finite, key=y.__getitem__)})
        elif part:
            kept.append(part[0])
    return [x[i] for i in kept], [y[i] for i in kept]


def plot_lines(spec: PlotSpec, width: int, height: int) -> list[Line]:
    """The plot in ``height`` lines of ``width`` cells: canvas, y labels at the left, x labels in the last line."""
    columns, rows = width - _GUTTER, height - 1
    if columns < 8 or rows < 3:
        return [fit((("", ""),), width) for _ in range(height)]
    curves = [Curve(c.role, *reduce_points(c.x, _scaled(c.y, spec.log), columns)) for c in spec.curves]
    values = [v for c in curves for v in c.y if math.isfinite(v)]
    if not values:
        return _empty(spec, width, height)
    low, high = _limits(values, spec)
    cells = _canvas(curves, spec, (low, high), columns, rows)
    labels = _y_labels(low, high, rows, spec)
    for row in labels:
        _grid(cells[row], spec.ascii_only)
    for x, text in spec.marks:
        _vertical(cells, round(x / max(spec.x_max, 1e-9) * (columns - 1)), text)
    lines = []
    for row, pieces in enumerate(cells):
        label = labels.get(row, "")
        axis = "┤" if label else "│"
        lines.append(fit(((label.rjust(_GUTTER - 1), "muted"), (axis, "rule"), *_joined(pieces)), width))
    return [*lines, _x_line(spec, columns, width)]


def _scaled(y: Sequence[float], log: bool) -> list[float]:
    return [math.log10(v) if v > 0 else math.nan for v in y] if log else list(y)


def _limits(values: list[float], spec: PlotSpec) -> tuple[float, float]:
    low, high = min(values), max(values)
    if spec.percent:
        return max(0.0, math.floor(low * 20 - 0.5) / 20), 1.0
    if spec.log:
        return (low - 0.05, high + 0.05) if high > low else (low - 0.3, high + 0.3)
    margin = (high - low) * 0.04 or abs(high) * 0.1 or 0.1
    return max(0.0, low - margin) if low >= 0 else low - margin, high + margin


def _canvas(
    curves: list[Curve], spec: PlotSpec, limits: tuple[float, float], columns: int, rows: int
) -> list[list[Piece]]:
    figure = _figure_class()
    figure.plot_size(columns, rows)
    figure.frame(False)
    figure.xfrequency(0)
    figure.yfrequency(0)
    figure.xlim(0.0, max(spec.x_max, 1e-9))
    figure.ylim(*limits)
    for curve in curves:
        marker = ("*" if curve.role == "train" else "o") if spec.ascii_only else "braille"
        for x, y in _segments(curve):
            if curve.role == "val":
                x, y = _dashes(x, y, spec.x_max, columns)
            if len(x) > 1 and curve.role == "train":
                figure.plot(x, y, marker=marker, color=_COLOURS[curve.role])
            elif x:
                figure.scatter(x, y, marker=marker, color=_COLOURS[curve.role])
    return _parse(figure.build(), columns, rows)


def _segments(curve: Curve) -> list[tuple[list[float], list[float]]]:
    segments: list[tuple[list[float], list[float]]] = []
    open_ = False
    for x, y in zip(curve.x, curve.y, strict=True):
        if math.isfinite(y):
            if not open_:
                segments.append(([], []))
            segments[-1][0].append(x)
            segments[-1][1].append(y)
        open_ = math.isfinite(y)
    return segments


def _dashes(x: list[float], y: list[float], x_max: float, columns: int) -> tuple[list[float], list[float]]:
    """Points along a line, two columns drawn and one left out, its corners always drawn."""
    xs, ys = list(x), list(y)
    for (x0, y0), (x1, y1) in pairwise(zip(x, y, strict=True)):
        steps = max(2, int((x1 - x0) / max(x_max, 1e-9) * columns * 4))
        for k in range(1, steps):
            at = x0 + (x1 - x0) * k / steps
            if int(at / max(x_max, 1e-9) * columns) % 3 != 2:
                xs.append(at)
                ys.append(y0 + (y1 - y0) * k / steps)
    return xs, ys


def _parse(text: str, columns: int, rows: int) -> list[list[Piece]]:
    """plotext's output, an ANSI string, as cells with roles."""
    grid: list[list[Piece]] = []
    for line in text.split("\n")[:rows]:
        cells: list[Piece] = []
        role, end = "", 0
        for match in _ESCAPE.finditer(line):
            cells += [(char, role) for char in line[end : match.start()]]
            end = match.end()
            role = _ROLES.get(match[1].rpartition(";")[2], "") if match[1].startswith("38") else ""
        cells += [(char, role) for char in line[end:]]
        grid.append([*cells, *[(" ", "")] * columns][:columns])
    return [*grid, *[[(" ", "")] * columns for _ in range(rows - len(grid))]]


def _grid(cells: list[Piece], ascii_only: bool) -> None:
    for at, (char, _) in enumerate(cells):
        if char in _EMPTY:
            cells[at] = (" " if ascii_only else "┈", "rule")


def _vertical(cells: list[list[Piece]], column: int, text: str) -> None:
    for row in cells:
        if 0 <= column < len(row) and row[column][1] in ("", "rule"):
            row[column] = ("┊", "muted")
    for offset, char in enumerate(f"◆ {text}"[: max(0, len(cells[0]) - column - 2)]):
        if cells[0][column + 1 + offset][1] in ("", "rule"):
            cells[0][column + 1 + offset] = (char, "muted")


def _y_labels(low: float, high: float, rows: int, spec: PlotSpec) -> dict[int, str]:
    labels: dict[int, str] = {}
    for value in _ticks(low, high, max(2, rows // 2), spec):
        row = round((high - value) / (high - low) * (rows - 1))
        if 0 <= row < rows and row not in labels:
            labels[row] = f"{value:.0%}" if spec.percent else _number(10**value if spec.log else value)
    return labels


def _ticks(low: float, high: float, count: int, spec: PlotSpec) -> list[float]:
    if spec.log:
        found = [math.log10(m * 10.0**e) for e in range(math.floor(low) - 1, math.ceil(high) + 1) for m in (1, 2, 5)]
        return [value for value in found if low <= value <= high]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _number(value: float) -> str:
    if abs(value) < 1e-9:
        return "0.0"
    return f"{value:.1f}" if value >= 0.995 else f"{value:.2g}" if value >= 0.0095 else f"{value:.0e}"


def _x_line(spec: PlotSpec, columns: int, width: int) -> Line:
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if spec.x_max / s <= max(1, columns // 12))
    cells = [" "] * columns
    ticks = [k * step for k in range(int(spec.x_max // step) + 1)]
    for tick in ticks:
        text = f"epoch {tick}" if tick == ticks[-1] and len(ticks) > 1 else str(tick)
        at = round(tick / max(spec.x_max, 1e-9) * (columns - 1))
        start = min(
            max(0, at - len(text) + 1 if tick == ticks[-1] and tick else at - len(text) // 2), columns - len(text)
        )
        if all(cell == " " for cell in cells[max(0, start - 1) : start + len(text)]):
            cells[start : start + len(text)] = text
    return fit(((" " * (_GUTTER - 1), ""), ("└", "rule"), ("".join(cells), "muted")), width)


def _empty(spec: PlotSpec, width: int, height: int) -> list[Line]:
    lines: list[Line] = [fit(((" " * (_GUTTER - 1), ""), ("│", "rule")), width) for _ in range(height - 1)]
    middle = (height - 1) // 2
    inside = spec.empty.center(width - _GUTTER)
    lines[middle] = fit(((" " * (_GUTTER - 1), ""), ("│", "rule"), (inside, "muted")), width)
    return [*lines, _x_line(spec, width - _GUTTER, width)]


def _joined(cells: list[Piece]) -> list[Piece]:
    pieces: list[Piece] = []
    for text, role in cells:
        if pieces and pieces[-1][1] == role:
            pieces[-1] = (pieces[-1][0] + text, role)
        else:
            pieces.append((text, role))
    return pieces
