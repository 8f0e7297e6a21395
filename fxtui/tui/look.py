"""How the dashboard may draw in a terminal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """``ascii_only``: no sign beyond ASCII; ``low_bandwidth``: fewer frames; ``no_color``: attributes only."""

    ascii_only: bool = False
    low_bandwidth: bool = False
    no_color: bool = False
