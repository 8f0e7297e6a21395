"""Columns of a table in text: as many as there is room for, each of a fixed width in cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.cells import cell_len, set_cell_size

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """``rank``: the higher, the sooner it goes where there is no room."""

    head: str
    width: int
    rank: int
    cell: Callable[[Row], str]
    left: bool = False


def fitting(columns: Sequence[Column[Row]], width: int, gap: int) -> list[Column[Row]]:
    """The columns that fit into so many cells, each with a gap before it."""
    kept = list(columns)
    while kept and sum(column.width + gap for column in kept) > width:
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def heads_of(columns: Sequence[Column[Row]], gap: int) -> str:
    """The columns' names."""
    return "".join(" " * gap + _placed(column.head, column) for column in columns)


def cells_of(row: Row, columns: Sequence[Column[Row]], gap: int) -> str:
    """One row's cells."""
    return "".join(" " * gap + _placed(column.cell(row), column) for column in columns)


def cut(text: str, width: int) -> str:
    """Text of at most so many cells; what is cut ends in an ellipsis. A letter may take two cells."""
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)) + "…"


def left(text: str, width: int) -> str:
    """Cut and filled at its end to so many cells."""
    return set_cell_size(cut(text, width), width)


def right(text: str, width: int) -> str:
    """Cut and filled at its beginning to so many cells."""
    text = cut(text, width)
    return " " * (width - cell_len(text)) + text


def _placed(text: str, column: Column[Row]) -> str:
    return (left if column.left else right)(text, column.width)
