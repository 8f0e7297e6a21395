"""The advice line and the key line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fxtui.text.cells import cut, text_width
from fxtui.text.lines import Line, Piece, fit, spread, width_of

_GAP = "  "


@dataclass(frozen=True, slots=True)
class KeyHint:
    """A key and what it does in a word or two. ``able``: it can act now; ``optional``: it is the first to go."""

    key: str
    text: str
    able: bool = True
    optional: bool = False


def fits(text: str, key: str, width: int) -> bool:
    """Whether an advice needs no cut."""
    return text_width(text) <= _room(key, width)


def _room(key: str, width: int) -> int:
    return width - (len(key) + 6 if key else 3)


def advice_line(text: str, key: str, width: int) -> Line:
    """The advice, with the key that carries it out."""
    if not text:
        return fit((("", ""),), width)
    shown = cut(text, _room(key, width))
    suffix: Line = ((f" ({key})", "key"),) if key and f"({key})" not in shown else ()
    return fit(((" ▸ ", "warn"), (shown, ""), *suffix), width)


def key_line(first: Sequence[KeyHint], last: Sequence[KeyHint], width: int) -> Line:
    """Keys, as many as there is room for; the ``last`` stay, at the right. What cannot act now is dimmed."""
    start, end = list(first), list(last)

    def size() -> int:
        return sum(width_of(_pieces(hint)) for hint in (*start, *end))

    if size() > width - 1:
        end = [hint for hint in end if not hint.optional]
    while start and size() > width - 1:
        start.pop()
    left, right = (tuple(piece for hint in hints for piece in _pieces(hint)) for hints in (start, end))
    return spread(((" ", ""), *left), right, width)


def key_at(line: Line, x: int) -> str:
    """The key whose entry in a key line is at this cell, or nothing."""
    at, found = 0, ""
    for text, role in line:
        if role in ("key", "muted") and text.strip():
            found = text.strip()
        at += text_width(text)
        if x < at:
            return found if text.strip() else ""
    return ""


def _pieces(hint: KeyHint) -> tuple[Piece, Piece]:
    return (hint.key, "key" if hint.able else "muted"), (f" {hint.text}{_GAP}", "" if hint.able else "dim")
