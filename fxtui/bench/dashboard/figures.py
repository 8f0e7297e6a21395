"""From what was measured to rows: percentiles, spans between events of a journal, limits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from fxtui.bench.rows import Row

NAME = "ui"
# The last event is shorter.
_TAIL = 8192


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed: one of them, never one in between."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -int(-share * len(ranked) // 1) - 1))]


def limit_row(case: str, baseline: float, value: float, unit: str, limit: float | None) -> Row:
    """A figure that must not exceed its budget; ``ratio`` says how it compares with the baseline."""
    ratio = value / baseline if baseline else 0.0
    met = None if limit is None else value <= limit
    return Row(bench=NAME, case=case, baseline=baseline, value=value, unit=unit, ratio=ratio, budget=limit, met=met)


def wall_row(case: str, headless: Sequence[float], dashboard: Sequence[float], limit: float) -> Row:
    """Seconds of the same work in two ways, the median of each; the budget is for their ratio."""
    slow, value = median(headless), median(dashboard)
    ratio = value / max(slow, 1e-9)
    return Row(
        bench=NAME, case=case, baseline=slow, value=value, unit="s", ratio=ratio, budget=limit, met=ratio <= limit
    )


def moments(journal: Path) -> list[tuple[str, float]]:
    """Type and time of every event that is written whole."""
    if not journal.is_file():
        return []
    lines = journal.read_bytes().split(b"\n")[:-1]
    return [(event["type"], event["t"]) for event in map(json.loads, lines)]


def count_of(journal: Path, kind: str) -> int:
    """How many events of a type there are."""
    return journal.read_bytes().count(f'"type":"{kind}"'.encode())


def has_ended(journal: Path) -> bool:
    """Whether the last event says so. Cheap enough to be asked beside a run that is timed."""
    try:
        with journal.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            return b'"type":"run_finished"' in file.read()
    except FileNotFoundError:
        return False


def seconds_between(events: Iterable[tuple[str, float]], first: str, last: str) -> float:
    """From the first event of one type to the last of another.

    Raises:
        ValueError: there is none.
    """
    listed = list(events)
    begin = next((t for kind, t in listed if kind == first), None)
    end = next((t for kind, t in reversed(listed) if kind == last), None)
    if begin is None or end is None:
        raise ValueError(f"no {first if begin is None else last} in the journal")
    return end - begin
