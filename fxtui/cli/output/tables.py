"""Tables of plain text: columns as wide as their cells, numbers right-aligned, no boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and whether its cells stand to the right."""

    heading: str
    right: bool = False


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """The heading and one line a row, two spaces between columns. Widths count terminal cells, not characters."""
    table = [[column.heading for column in columns], *rows]
    widths = [max(cell_len(row[at]) for row in table) for at in range(len(columns))]
    return ["  ".join(map(_cell, row, widths, columns)).rstrip() for row in table]


def _cell(text: str, width: int, column: Column) -> str:
    space = " " * (width - cell_len(text))
    return space + text if column.right else text + space
