"""Text by the cells that it takes in a terminal: a letter may take two, and what combines with one takes none."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def text_width(text: str) -> int:
    """The cells that a text takes."""
    return cell_len(text)


def cut(text: str, width: int, end: str = "…") -> str:
    """Text of at most so many cells; what is cut ends in a sign that takes one, or, if it is empty, in none."""
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - len(end))) + end


def fill(text: str, width: int) -> str:
    """Filled at its end to so many cells; longer text stays whole."""
    return text + " " * (width - cell_len(text))


def left(text: str, width: int) -> str:
    """Cut and filled at its end to so many cells."""
    return fill(cut(text, width), width)


def right(text: str, width: int) -> str:
    """Cut and filled at its beginning to so many cells."""
    text = cut(text, width)
    return " " * (width - cell_len(text)) + text
