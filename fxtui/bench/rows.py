"""The rows that a bench reports: two measured figures, how they compare, and whether that keeps the budget.

Knows no torch, so that any bench may report in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

_DIFFERENCES = ("loss", "cosine")


class BenchError(RuntimeError):
    """What was to be measured did not come to its end."""


class Row(Struct, frozen=True, kw_only=True):
    """One comparison of fxtui (``value``) with a baseline, both in ``unit``.

    Of seconds and rates ``ratio`` says how many times as fast fxtui is and ``budget`` how many times it must be. Where
    both must agree (:func:`is_agreement`), ``ratio`` is the largest relative difference and ``budget`` the most that it
    may be. Rows of the bench ``ui`` have limits: ``ratio`` is ``value`` over ``baseline`` (0 without one), ``budget``
    the most that ``value`` may be, or that ``ratio`` may be where the unit is seconds. ``budget`` and ``met`` are None
    where no budget applies on this machine. Rows of the bench ``faults`` count runs: ``baseline`` tried, ``value``
    survived, all of which must.
    """

    bench: str
    case: str
    baseline: float
    value: float
    unit: str
    ratio: float
    budget: float | None = None
    met: bool | None = None


def seconds_row(
    bench: str, case: str, baseline: Sequence[float], value: Sequence[float], budget: float | None = None
) -> Row:
    """Compare two series of timings in seconds by the best of each: what else the machine does only ever adds."""
    slow, fast = min(baseline), min(value)
    return _speed_row(bench, case, slow, fast, "s", slow / max(fast, 1e-9), budget)


def rate_row(
    bench: str, case: str, images: int, baseline: Sequence[float], value: Sequence[float], budget: float | None = None
) -> Row:
    """Compare by images a second: two series of timings in seconds, each over this many images; the best of each."""
    slow, fast = images / max(min(baseline), 1e-9), images / max(min(value), 1e-9)
    return _speed_row(bench, case, slow, fast, "img/s", fast / slow, budget)


def agreement_row(
    bench: str, case: str, unit: str, baseline: Sequence[float], value: Sequence[float], tolerance: float
) -> Row:
    """Compare two series that must be the same to a relative tolerance; the row shows the last of each.

    ``unit`` is loss or cosine. Figures that are no numbers, or series of unequal or no length, do not agree.
    """
    pairs = list(zip(baseline, value, strict=False))
    differences = [abs(a - b) / max(abs(a), 1e-9) for a, b in pairs]
    whole = bool(pairs) and len(baseline) == len(value) and all(map(math.isfinite, differences))
    largest = max(differences) if whole else math.inf
    return Row(
        bench=bench,
        case=case,
        baseline=baseline[-1] if baseline else math.nan,
        value=value[-1] if value else math.nan,
        unit=unit,
        ratio=largest,
        budget=tolerance,
        met=largest <= tolerance,
    )


def is_agreement(row: Row) -> bool:
    """Whether a row says how far two results differ, not how fast something is."""
    return row.unit in _DIFFERENCES


def exit_status(rows: Iterable[Row]) -> int:
    """1 if a budget is missed or results disagree, else 0."""
    return int(any(row.met is False for row in rows))


def _speed_row(
    bench: str, case: str, baseline: float, value: float, unit: str, ratio: float, budget: float | None
) -> Row:
    met = None if budget is None else ratio >= budget
    return Row(bench=bench, case=case, baseline=baseline, value=value, unit=unit, ratio=ratio, budget=budget, met=met)
