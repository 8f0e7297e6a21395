"""From values to cells: where x and y lie on a canvas, and limits of y that do not jump."""

from __future__ import annotations

import math

from fxtui.tui.plotting.spec import Limits

# Cells at the left for a label of five and the axis.
GUTTER = 6
# A braille sign has two by four dots.
DOTS_X, DOTS_Y = 2, 4
_LARGEST = 1e300
_LEAST_SPAN = 1e-9
# So many axes away it makes no difference how far.
_FAR = 1e12
# Below this share of the axis the data are too flat, and the limits are made anew.
_KEEP = 0.5
_AHEAD = 0.25


def dot_of(x: float, x_max: float, columns: int) -> int:
    """The dot that x falls on, of two a column."""
    if not x_max > _LEAST_SPAN:
        return 0
    return math.floor(0.5 + (columns * DOTS_X - 1) * min(max(x / x_max, -_FAR), _FAR))


def column_of(x: float, x_max: float, columns: int) -> int:
    """The column that x falls in; outside of the canvas where x is outside of 0 to ``x_max``."""
    return dot_of(x, x_max, columns) // DOTS_X


def x_of(column: int, x_max: float, columns: int) -> float:
    """The x in the middle of a column."""
    return min(x_max, max(0.0, (column * DOTS_X + 0.5) * x_max / (columns * DOTS_X - 1)))


def edge_of(column: int, x_max: float, columns: int) -> float:
    """The least x that falls in a column."""
    return (column * DOTS_X - 0.5) * x_max / (columns * DOTS_X - 1)


def row_of(value: float, limits: Limits, rows: int) -> int:
    """The row that a value falls in, counted from the top."""
    low, high = limits
    return rows - 1 - math.floor(0.5 + (rows * DOTS_Y - 1) * (value - low) / (high - low)) // DOTS_Y


def scaled(value: float, log: bool) -> float:
    """A value as it is drawn: its decimal logarithm where the axis is logarithmic, NaN where there is none."""
    if not math.isfinite(value) or (log and value <= 0):
        return math.nan
    return math.log10(value) if log else max(-_LARGEST, min(_LARGEST, value))


def nice_step(rough: float) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten that is not below ``rough``, a positive number."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1, 2, 2.5, 5) if m * power >= rough), 10 * power)


def nice_limits(low: float, high: float, before: Limits | None, log: bool, percent: bool) -> Limits:
    """Limits that hold ``low`` to ``high``, both as drawn: those from before as long as they serve, else round ones."""
    fresh = _percent_limits(low, high) if percent and high <= 1.0 else _round_limits(low, high, log)
    if before is None or (percent and (low < before[0] or high > before[1])):
        return fresh
    if low < before[0] or high > before[1]:
        # A curve that leaves the axis goes on: some room ahead of it, and the next few frames need not change.
        ahead = (high - low) * _AHEAD
        below = low - ahead if low < before[0] else low
        below = max(0.0, below) if low >= 0 and not log else below
        return _round_limits(below, high + ahead if high > before[1] else high, log)
    return fresh if fresh[1] - fresh[0] < (before[1] - before[0]) * _KEEP else before


def _percent_limits(low: float, high: float) -> Limits:
    return max(0.0, math.floor(low * 20 - 0.25) / 20) if low >= 0 else low - (high - low) * 0.1 - 0.05, 1.0


def _round_limits(low: float, high: float, log: bool) -> Limits:
    span = high - low
    size = max(abs(low), abs(high))
    least = 0.1 if log else max(size * _LEAST_SPAN, 1e-290) if span > 0 else max(size * 0.2, 1e-3)
    if span < least:
        middle = (low + high) / 2
        low_end, high_end = middle - least, middle + least
    else:
        low_end, high_end = low - span * 0.02, high + span * 0.02
    step = nice_step(max((high_end - low_end) / 10, 1e-300))
    low_end, high_end = math.floor(low_end / step) * step, math.ceil(high_end / step) * step
    if low >= 0 and not log:
        low_end = max(0.0, low_end)
    # Where round limits are not to be had at this size, those of the data must do.
    return (min(low, low_end), max(high, high_end)) if high_end > low_end else (low - 1.0, high + 1.0)
