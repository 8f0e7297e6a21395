"""The signs of the interface and their twins in plain ASCII."""

from __future__ import annotations

_TWINS = {
    "●": "*", "○": "o", "◐": "-", "✓": "+", "✗": "x", "★": "*", "◆": "^", "▸": ">", "▾": "v", "→": ">", "×": "x",
    "≈": "~", "–": "-", "━": "=", "╸": "=", "─": "-", "╌": "o", "┊": ":", "┈": " ", "┤": "+", "│": "|", "└": "+",
    "◌": "?", "◎": "@", "·": ".", "±": "+-", "‖": "=", "…": "~",
    "↑": "^", "↓": "v",
    "┌": "+", "┐": "+", "┘": "+", "▔": "-", "▁": "_", "▂": ".", "▃": ":", "▄": "-", "▅": "=", "▆": "+", "▇": "*",
    "█": "#",
    "■": "#", "▪": "#",
}  # fmt: skip
_TABLE = str.maketrans(_TWINS)

TRAINS, FROZEN, MIXED, PENDING = "●", "○", "◐", "◌"
_BOXES = {TRAINS: "[x]", FROZEN: "[ ]", MIXED: "[-]", PENDING: "[?]"}


def to_ascii(text: str) -> str:
    """Text with every sign replaced by its twin; what has none and is not ASCII becomes ``?``."""
    return text.translate(_TABLE).encode("ascii", "replace").decode()


def trains_mark(share: str, ascii_only: bool) -> str:
    """The mark of a layer, three cells wide, readable without colour."""
    return _mark({"all": TRAINS, "some": MIXED}.get(share, FROZEN), ascii_only)


def pending_mark(ascii_only: bool) -> str:
    """The mark of a layer that is asked to change and has not yet."""
    return _mark(PENDING, ascii_only)


def _mark(mark: str, ascii_only: bool) -> str:
    return _BOXES[mark] if ascii_only else f" {mark} "
