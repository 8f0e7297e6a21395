"""A plot: canvas, y labels at the left, x labels in the last line."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from fxtui.text.lines import Line, Piece, fit
from fxtui.tui.plotting.axes import x_line, y_labels
from fxtui.tui.plotting.braille_curves import draw_curves
from fxtui.tui.plotting.marks import draw_crosshair, draw_end_label, draw_grid, draw_holes, draw_marks
from fxtui.tui.plotting.reduction import reduce_points
from fxtui.tui.plotting.scale import GUTTER, nice_limits, scaled
from fxtui.tui.plotting.spec import Curve, Limits, PlotSpec

_LEAST_COLUMNS, _LEAST_ROWS = 8, 3
# An axis that is shorter has no room for a tick, and dividing by it may overflow.
_LEAST_X = 1e-9


@dataclass(frozen=True, slots=True)
class _Reduced:
    curves: tuple[Curve, ...]
    overlays: tuple[Curve, ...]

    def range(self) -> Limits | None:
        values = [v for c in (*self.overlays, *self.curves) for v in c.y if math.isfinite(v)]
        return (min(values), max(values)) if values else None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot as lines, and the limits of its y axis; None where nothing is drawn."""

    lines: list[Line]
    limits: Limits | None = None


def plot_lines(spec: PlotSpec, width: int, height: int) -> list[Line]:
    """The plot in ``height`` lines of ``width`` cells; blank where that is too little for one."""
    return draw_plot(spec, width, height).lines


def draw_plot(spec: PlotSpec, width: int, height: int) -> Drawn:
    """The plot, as `plot_lines` gives it, with its limits, which the next frame may keep."""
    columns, rows = width - GUTTER, height - 1
    if columns < _LEAST_COLUMNS or rows < _LEAST_ROWS:
        return Drawn([fit((), width) for _ in range(height)])
    if not spec.x_max > _LEAST_X:
        spec = replace(spec, x_max=1.0)
    reduced = _reduced(spec, columns)
    found = reduced.range()
    if found is None:
        return Drawn(_empty(spec, width, height))
    limits = nice_limits(*found, spec.limits, spec.log, spec.percent)
    drawn = (*reduced.overlays, *reduced.curves)
    canvas = draw_curves(drawn, spec.x_max, limits, columns, rows, spec.ascii_only)
    labels = y_labels(limits, rows, spec.log, spec.percent)
    draw_grid(canvas, labels, spec.ascii_only)
    for overlay, curve in zip(spec.overlays, reduced.overlays, strict=True):
        draw_end_label(canvas, curve, overlay.label, spec.x_max, limits)
    draw_marks(canvas, spec.marks, spec.x_max)
    draw_holes(canvas, spec.holes, spec.x_max)
    if spec.cross is not None:
        draw_crosshair(canvas, spec.cross, spec.x_max)
    lines: list[Line] = []
    for row, cells in enumerate(canvas):
        label = labels.get(row, "")
        axis = "┤" if label else "│"
        lines.append(fit(((label.rjust(GUTTER - 1), "muted"), (axis, "rule"), *_joined(cells)), width))
    return Drawn([*lines, x_line(spec, columns, width)], limits)


def _reduced(spec: PlotSpec, columns: int) -> _Reduced:
    def reduce(curve: Curve) -> Curve:
        xs, ys = reduce_points(curve.x, curve.y, columns, spec.x_max, positive=spec.log)
        # A logarithm keeps the order, so it can wait until there are few points.
        return Curve(curve.role, xs, [scaled(y, spec.log) for y in ys])

    overlays = tuple(reduce(Curve("muted", o.x, o.y)) for o in spec.overlays)
    return _Reduced(tuple(reduce(curve) for curve in spec.curves), overlays)


def _empty(spec: PlotSpec, width: int, height: int) -> list[Line]:
    columns = width - GUTTER
    canvas: list[list[Piece]] = [[(" ", "")] * columns for _ in range(height - 1)]
    text = spec.empty[:columns]
    start = (columns - len(text)) // 2
    canvas[(height - 1) // 2][start : start + len(text)] = [(char, "muted") for char in text]
    draw_holes(canvas, spec.holes, spec.x_max)
    lines = [fit(((" " * (GUTTER - 1), ""), ("│", "rule"), *_joined(cells)), width) for cells in canvas]
    return [*lines, x_line(spec, columns, width)]


def _joined(cells: list[Piece]) -> list[Piece]:
    pieces: list[Piece] = []
    for text, role in cells:
        if pieces and pieces[-1][1] == role:
            pieces[-1] = (pieces[-1][0] + text, role)
        else:
            pieces.append((text, role))
    return pieces
