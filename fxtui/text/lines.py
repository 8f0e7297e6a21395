"""Lines of text with roles, put together by pure functions and coloured by the style sheet."""

from __future__ import annotations

from collections.abc import Iterable

from fxtui.text.cells import cut, text_width

# A line is a row of pieces: text, and its role (a component class of the style sheet, or empty).
Piece = tuple[str, str]
Line = tuple[Piece, ...]

ROLES = (
    "strong", "muted", "dim", "rule", "accent", "train", "val", "ok", "warn", "error", "bar", "selected", "key", "tab",
    "hot", "warm", "cool", "picked",
)  # fmt: skip
_SPARKS = "▁▂▃▄▅▆▇█"

# How a role begins that is two colours of its own instead: foreground and background, as pictures have them.
PIXEL = "#"


def pixel_role(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> str:
    """The role of a half block: the pixel above, and the one below."""
    return f"{PIXEL}{bytes((*upper, *lower)).hex()}"


def width_of(line: Line) -> int:
    """The cells a line takes."""
    return sum(text_width(text) for text, _ in line)


def fit(line: Line, width: int) -> Line:
    """The line at exactly this width: cut, or filled with spaces."""
    pieces: list[Piece] = []
    left = width
    for text, role in line:
        size = text_width(text)
        if size > left:
            text = cut(text, left, "")
            size = left
        if text:
            pieces.append((text, role))
        left -= size
    if left > 0:
        pieces.append((" " * left, ""))
    return tuple(pieces)


def spread(left: Line, right: Line, width: int, fill: str = " ", role: str = "") -> Line:
    """One part at each end; what is between is filled. The right part goes first where there is no room."""
    gap = width - width_of(left) - width_of(right)
    if gap < 1:
        return fit(left, width)
    return fit((*left, (fill * gap, role), *right), width)


def title(name: str, legend: Line, right: Line, width: int, focused: bool = False) -> Line:
    """A section's heading: bold name, legend, thin rule, figures at the right."""
    left: Line = ((name, "accent" if focused else "strong"), ("  ", ""), *legend, (" " if legend else "", ""))
    tail: Line = ((" ", ""), *right) if right else ()
    return spread(left, tail, width, "─", "rule")


def wrap(text: str, width: int, role: str) -> list[Line]:
    """A sentence on as many lines as it takes."""
    lines: list[str] = [""]
    for word in text.split():
        if lines[-1] and text_width(lines[-1]) + 1 + text_width(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".lstrip()
    return [((line, role),) for line in lines]


def spark(fractions: Iterable[float]) -> str:
    """One cell a value, 0 to 1, the higher the fuller."""
    return "".join(_SPARKS[min(7, int(max(0.0, value) * 7.999))] for value in fractions)


def bar(fraction: float, width: int) -> tuple[Piece, Piece]:
    """A progress bar in two pieces: done and open."""
    done = round(max(0.0, min(1.0, fraction)) * width)
    return ("━" * done, "strong"), ("─" * (width - done), "rule")
