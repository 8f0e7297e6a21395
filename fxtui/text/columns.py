"""Columns of a table in text: as many as there is room for, each of a fixed width in cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fxtui.text.cells import left, right

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


def _placed(text: str, column: Column[Row]) -> str:
    return (left if column.left else right)(text, column.width)
