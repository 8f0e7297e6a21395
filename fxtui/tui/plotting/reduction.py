"""Fewer points for the same picture: the smallest and the largest of each column."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from fxtui.tui.plotting.scale import edge_of


def reduce_points(
    x: Sequence[float], y: Sequence[float], columns: int, x_max: float, positive: bool = False
) -> tuple[list[float], list[float]]:
    """At most two finite points a column of a canvas from 0 to ``x_max``, in their order; gaps stay gaps as NaN.

    ``x`` rises. What lies beyond the canvas is left out. With ``positive`` what is not above 0 is a gap as well, as on
    a logarithmic axis. Slices and built-in functions do the work, so a million points take tens of milliseconds.
    """
    xs: list[float] = []
    ys: list[float] = []
    end = bisect_left(x, edge_of(columns, x_max, columns), 0, min(len(x), len(y)))
    start = bisect_left(x, 0, 0, end)
    column = 0
    while start < end and column < columns:
        stop = bisect_left(x, edge_of(column + 1, x_max, columns), start, end)
        column += 1
        if stop > start:
            for i in _kept(y[start:stop], positive):
                xs.append(x[start + i])
                ys.append(y[start + i] if _counts(y[start + i], positive) else math.nan)
            start = stop
    return xs, ys


def _counts(value: float, positive: bool) -> bool:
    return math.isfinite(value) and not (positive and value <= 0)


def _kept(part: Sequence[float], positive: bool) -> list[int]:
    # The sum says at once whether there is a NaN, beside which min() and max() are not to be trusted.
    if math.isfinite(sum(part)):
        least = min(part)
        if not positive or least > 0:
            return sorted({part.index(least), part.index(max(part))})
    finite = [i for i, value in enumerate(part) if _counts(value, positive)]
    if not finite:
        return [0]
    ends = sorted({min(finite, key=part.__getitem__), max(finite, key=part.__getitem__)})
    kept: list[int] = []
    # A gap between two points that stay is kept as one of its own points.
    for start, stop in zip([0, *(i + 1 for i in ends)], [*ends, len(part)], strict=True):
        kept += [i for i in range(start, stop) if not _counts(part[i], positive)][:1]
        kept += [stop] if stop < len(part) else []
    return kept
