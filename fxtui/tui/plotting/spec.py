"""What a plot shows, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

XAxis = Literal["epoch", "step", "time"]
# Lower and upper end of the y axis; of its decimal logarithm where the axis is logarithmic.
Limits = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points by rising x; what is not finite in y is a gap. ``role`` is ``train`` (a line) or ``val`` (dashes)."""

    role: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Overlay:
    """The curve of another run, dotted; ``label`` stands at its end."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line. Where there is no room for ``label``, ``sign`` stands alone, or nothing."""

    x: float
    sign: str
    label: str


@dataclass(frozen=True, slots=True)
class PlotSpec:
    """What a plot shows. x goes from 0 to ``x_max``, in epochs, steps or seconds.

    ``holes`` are places in x where a figure was no number; ``cross`` is where the crosshair stands. ``limits`` are
    those of the y axis in the frame before, kept as long as they serve. ``percent`` labels it in per cent; ``empty`` is
    said where there is nothing to draw.
    """

    curves: tuple[Curve, ...]
    x_max: float
    x_axis: XAxis = "epoch"
    marks: tuple[Mark, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    holes: tuple[float, ...] = ()
    cross: float | None = None
    limits: Limits | None = None
    log: bool = False
    percent: bool = False
    ascii_only: bool = False
    empty: str = "first point after epoch 1"
