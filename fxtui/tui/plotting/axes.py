"""Which values of the axes get a label, and what it says."""

from __future__ import annotations

import math
from itertools import pairwise

from fxtui.text.lines import Line, fit
from fxtui.tui.plotting.scale import GUTTER, column_of, nice_step, row_of
from fxtui.tui.plotting.spec import Limits, PlotSpec, XAxis

_LABEL = GUTTER - 1
_COLUMNS_A_TICK = 10
_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def y_labels(limits: Limits, rows: int, log: bool, percent: bool) -> dict[int, str]:
    """Rows that have a label, never two beside each other."""
    labels: dict[int, str] = {}
    for value, text in _log_ticks(limits, rows) if log else _linear_ticks(*limits, max(1, rows // 2), percent):
        row = row_of(value, limits, rows)
        near = any(abs(row - other) < 2 for other in labels)
        if 0 <= row < rows and not near and len(text) <= _LABEL and text not in labels.values():
            labels[row] = text
    return labels


def _linear_ticks(low: float, high: float, count: int, percent: bool) -> list[tuple[float, str]]:
    if not (high - low) / count > 0:
        return []
    step = nice_step((high - low) / count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [k * step for k in range(last, first - 1, -1)] if last - first <= 2 * count + 2 else []
    if percent:
        decimals = 0 if step >= 0.0099 else 1
        return [(value, f"{value * 100:.{decimals}f}%") for value in values]
    # 2.5 has one decimal more than its size says.
    exact = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) + (abs(exact - 2.5) < 1e-6)
    if decimals == 0 and max(abs(low), abs(high)) < 100:
        decimals = 1
    return [(value, _fixed(value, decimals)) for value in values]


def _log_ticks(limits: Limits, rows: int) -> list[tuple[float, str]]:
    low, high = limits
    decades = range(math.floor(low), math.ceil(high) + 1)
    for parts, every in (((1, 2, 5), 1), ((1, 3), 1), *(((1,), n) for n in (1, 2, 5, 10, 20, 50, 100))):
        values = [math.log10(m) + e for e in decades if e % every == 0 for m in parts]
        inside = [value for value in values if low <= value <= high]
        places = [row_of(value, limits, rows) for value in inside]
        if all(a - b >= 2 for a, b in pairwise(places)):
            if len(inside) >= 2:
                return [(value, _free(value)) for value in reversed(inside)]
            break
    # Less than a decade: ticks as on a linear axis.
    if low > -300 and high < 300:
        ticks = _linear_ticks(10**low, 10**high, max(1, rows // 2), False)
        return [(math.log10(value), text) for value, text in ticks if value > 0]
    return []


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text if len(text) <= _LABEL else _short(value)


def _free(logarithm: float) -> str:
    if not -3.5 < logarithm < 4.9:
        mantissa = round(10 ** (logarithm - math.floor(logarithm + 1e-9)))
        return f"{mantissa}e{math.floor(logarithm + 1e-9)}"
    value = 10**logarithm
    return f"{value:.0f}" if value > 99 else f"{value:.1f}" if value > 0.099 else f"{value:.1g}"


def _short(value: float) -> str:
    for digits in (2, 1, 0):
        mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
        text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"
        if len(text) <= _LABEL:
            break
    return text


def x_line(spec: PlotSpec, columns: int, width: int) -> Line:
    """The x axis: labels at round places that keep apart, the last one with the name of the axis."""
    cells = [" "] * columns
    step = _x_step(spec.x_max, spec.x_axis, max(1, columns // _COLUMNS_A_TICK))
    count = math.floor(spec.x_max / step + 1e-9)
    name = "" if spec.x_axis == "time" else f"{spec.x_axis} "
    # The last label has a name and is wide: it is the one that must not be missing.
    for k in (count, *range(count)) if count else (0,):
        text = (name if k == count and k else "") + x_label(k * step, spec.x_axis)
        at = column_of(k * step, spec.x_max, columns)
        start = at - len(text) + 1 if k == count and k else at - len(text) // 2
        start = max(0, min(start, columns - len(text)))
        if all(cell == " " for cell in cells[max(0, start - 1) : start + len(text) + 1]):
            cells[start : start + len(text)] = text
    return fit(((" " * _LABEL, ""), ("└", "rule"), ("".join(cells)[:columns], "muted")), width)


def _x_step(x_max: float, axis: XAxis, count: int) -> float:
    if not x_max > 0:
        return 1.0
    if axis == "time":
        found = next((s for s in _SECONDS if x_max / s <= count), None)
        return float(found) if found else 86400 * max(1.0, nice_step(x_max / count / 86400))
    step = nice_step(x_max / count)
    return max(1.0, 5 * step / 2.5 if f"{step:.1e}".startswith("2.5") else step)


def x_label(value: float, axis: XAxis) -> str:
    """A place on the x axis: `20`, `1,500`, `20k`; in time `0s`, `30s`, `2m 30s`, `1h`, `1h 30m`."""
    if axis == "time":
        return _time(value)
    count = round(value)
    if count < 10_000:
        return f"{count:,}"
    size, unit = (1e6, "M") if count >= 1_000_000 else (1e3, "k")
    return f"{count / size:g}{unit}" if count < 1e12 else f"{count:.0e}"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{round(seconds, 1):g}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours:,}h" + (f" {minutes:02d}m" if minutes else "")
    return f"{minutes}m" + (f" {rest:02d}s" if rest else "")
