"""Where the panels of a screen stand: rows and columns as plain numbers, worked out from the size of the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.geometry import Region
from textual.widget import Widget

Layout = Mapping[str, Region]


def stack(x: int, width: int, height: int, wants: Sequence[tuple[str, int, int]], top: int = 0) -> dict[str, Region]:
    """Panels on top of each other in a column of ``height`` lines.

    ``wants`` are (name, least height, share): each gets its least height, in their order while there is room, and what
    is left is dealt out by the shares. A panel whose least height no longer fits is left out.
    """
    chosen: list[tuple[str, int, int]] = []
    used = 0
    for name, least, share in wants:
        if used + least <= height:
            chosen.append((name, least, share))
            used += least
    spare, shares = height - used, sum(share for _, _, share in chosen)
    layout: dict[str, Region] = {}
    y = top
    for name, least, share in chosen:
        extra = spare * share // shares if shares else 0
        spare -= extra
        shares -= share
        layout[name] = Region(x, y, width, least + extra)
        y += least + extra
    return layout


def put(widgets: Sequence[Widget], layout: Layout) -> None:
    """Move each widget to its place; those without one are hidden."""
    for widget in widgets:
        place = layout.get(widget.id or "")
        widget.display = place is not None
        if place is not None:
            widget.styles.width, widget.styles.height = place.width, place.height
            widget.styles.offset = (place.x, place.y)
