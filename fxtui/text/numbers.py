"""Numbers as users read them: fixed decimals, `–` where there is no figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

NONE = "–"


def loss(value: float | None) -> str:
    """Four decimals; three significant figures from 1,000 on."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.3g}"


def accuracy(fraction: float | None) -> str:
    """A fraction as a percentage with one decimal."""
    return NONE if fraction is None else f"{fraction:.1%}"


def lr(value: float | None) -> str:
    """A learning rate: 1e-3, 3.3e-4."""
    if value is None:
        return NONE
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def params(count: int) -> str:
    """A count of parameters: 5,130, 148k, 11.2M."""
    if count < 10_000:
        return f"{count:,}"
    for size, unit in ((1e9, "B"), (1e6, "M")):
        if count >= size * 0.9995:
            return _three(count / size) + unit
    return _three(count / 1e3) + "k"


def duration(seconds: float | None) -> str:
    """Seconds: 9.18 s, 1m 10s, 2h 05m."""
    if seconds is None:
        return NONE
    if seconds < 59.995:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def whole_seconds(seconds: float) -> str:
    """Seconds on a clock that runs: 0 s, 9 s, 1m 10s, 2h 05m."""
    return f"{round(seconds)} s" if seconds < 59.5 else duration(seconds)


def age(seconds: float) -> str:
    """How long ago, in the largest unit that fits: 12 s, 5 min, 3 h, 12 days."""
    seconds = max(0.0, seconds)
    for unit, name in ((86400, "day"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            count = int(seconds // unit)
            return plural(count, name) if name == "day" else f"{count} {name}"
    return f"{int(seconds)} s"


def roughly(seconds: float) -> str:
    """Seconds that were estimated, to two figures: 0.004 s, 0.42 s, 4.2 s, 19 s, 1m 10s."""
    if seconds >= 59.5:
        return duration(seconds)
    if seconds < 0.095:
        return f"{seconds:.1g} s" if seconds >= 0.001 else "<0.001 s"
    return f"{seconds:.{2 if seconds < 0.995 else 1 if seconds < 9.95 else 0}f} s"


def rate(per_second: float) -> str:
    """Images a second."""
    return f"{per_second:,.0f} img/s"


def size(count: int) -> str:
    """Bytes: 15.6 MiB."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def shape(sizes: Sequence[int | None]) -> str:
    """Sizes with a multiplication sign between; `?` for one that differs from image to image."""
    return "×".join("?" if n is None else str(n) for n in sizes)


def _three(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def plural(count: int, noun: str) -> str:
    """`1 file`, `1,234 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
