"""Remembers what the terminal shows, cell by cell, and sends of every update only the cells that differ.

Textual sends a widget's region again from its left edge, every piece of text with all of its style and a reset. Here an
update becomes the fewest cursor moves, changes of style and characters that lead to the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import repeat

from rich.cells import cell_len, get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style

from fxtui.text.glyphs import to_ascii
from fxtui.tui.terminal.textual_internals import ChopsUpdate, CompositorUpdate, LayoutUpdate

# Parameters of the terminal's SGR command: attributes, foreground, background; empty: the terminal's own.
Pen = tuple[str, str, str]
# A character with what combines with it, and its pen. A wide character is followed by empty cells.
Cell = tuple[str, Pen]

PLAIN: Pen = ("", "", "")
_NOTHING: Cell = ("\0", PLAIN)
# Without blinking, which no one reads and every terminal redraws.
_ATTRIBUTES = (
    ("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("reverse", "7"), ("conceal", "8"),
    ("strike", "9"), ("underline2", "21"), ("overline", "53"),
)  # fmt: skip
# What a blank looks the same with.
_UNSEEN_ON_BLANKS = frozenset(("", "1", "2", "3"))
# So many unchanged cells between two changed ones are cheaper to send than to jump over.
_SHORT_GAP = 3


class RenderedDiff(CompositorUpdate):
    """An update that has become what the terminal is sent."""

    def __init__(self, text: str) -> None:
        self.text = text

    def render_segments(self, console: Console) -> str:  # noqa: ARG002  # Textual's signature
        """The characters and escape sequences."""
        return self.text


class DiffRenderer:
    """Turns updates of the whole screen or of parts into the changes that they make.

    ``colors`` is what the terminal can do; None: no colour is ever sent, only bold, reverse and their like.
    """

    def __init__(self, colors: ColorSystem | None, ascii_only: bool = False) -> None:
        self._pen = lru_cache(4096)(partial(pen_of, colors=colors))
        self._ascii = ascii_only
        self._rows: dict[int, list[Cell]] = {}
        self._size: tuple[int, ...] = ()

    def forget(self) -> None:
        """What the terminal shows is unknown from now on: the next update is sent whole."""
        self._rows = {}

    def paint(self, update: ChopsUpdate | LayoutUpdate) -> str:
        """What to send for this update; empty if the terminal shows it already."""
        if isinstance(update, LayoutUpdate):
            if self._size != tuple(update.region.size):
                self._size = tuple(update.region.size)
                self.forget()
            parts = _parts_of_screen(update)
        else:
            parts = _parts_of_chops(update)
        strokes = _Strokes()
        for x, y, segments in parts:
            self._paint_row(x, y, self._cells(segments), strokes)
        return strokes.finish()

    def _cells(self, segments: Iterable[Segment]) -> list[Cell]:
        cells: list[Cell] = []
        for text, style, control in segments:
            if not control and text:
                pen = self._pen(style)
                glyphs = _glyphs(text, self._ascii)
                if _marks_blanks(pen):
                    cells.extend(zip(glyphs, repeat(pen), strict=False))
                else:
                    # The colour of blanks is not seen, so that it alone makes no difference.
                    blank: Cell = (" ", ("", "", pen[2]))
                    cells.extend([blank if glyph == " " else (glyph, pen) for glyph in glyphs])
        return cells

    def _paint_row(self, x: int, y: int, new: list[Cell], strokes: _Strokes) -> None:
        row = self._rows.setdefault(y, [])
        end = x + len(new)
        if len(row) < end:
            row.extend(repeat(_NOTHING, end - len(row)))
        old = row[x:end]
        if old == new:
            return
        row[x:end] = new
        for at, (before, after) in enumerate(zip(old, new, strict=True), start=x):
            if before != after and after[0]:
                strokes.put(at, y, after, row)


@dataclass(slots=True)
class _Run:
    """Characters side by side, drawn with one pen."""

    x: int
    y: int
    pen: Pen
    end: int
    glyphs: list[str]


class _Strokes:
    """Collects what is to be drawn, and draws it pen by pen: to move takes fewer bytes than to change the colour."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._open: _Run | None = None

    def put(self, x: int, y: int, cell: Cell, row: list[Cell]) -> None:
        """A character at its place, from left to right; ``row`` holds what its row shows in the end."""
        run = self._open
        if run is None or run.y != y or not self._reaches(run, x, row) or not self._takes(run, cell):
            run = self._open = _Run(x, y, cell[1], x, [])
            self._runs.append(run)
        run.glyphs.append(cell[0])
        run.end = x + 1
        # Terminals do not agree on the width of what is not one cell wide, so the next one is given its place.
        if len(cell[0]) != 1 or (x + 1 < len(row) and row[x + 1][0] == ""):
            self._open = None

    def finish(self) -> str:
        """All of it, ending with the terminal's own pen."""
        out: list[str] = []
        pen, at = PLAIN, (-1, -1)
        for run in sorted(self._runs, key=lambda run: (run.pen, run.y, run.x)):
            if (run.x, run.y) != at:
                ahead = run.x - at[0]
                out.append(f"\x1b[{ahead}C" if at[1] == run.y and ahead > 0 else f"\x1b[{run.y + 1};{run.x + 1}H")
            if run.pen != pen:
                out.append(pen_change(pen, run.pen))
                pen = run.pen
            out += run.glyphs
            single = len(run.glyphs[-1]) == 1 and run.glyphs[-1].isascii()
            at = (run.end, run.y) if single else (-1, -1)
        if pen != PLAIN:
            out.append("\x1b[m")
        return "".join(out)

    def _reaches(self, run: _Run, x: int, row: list[Cell]) -> bool:
        """Whether the run goes on at ``x``; the few unchanged cells before it are drawn again."""
        between = row[run.end : x]
        if len(between) > _SHORT_GAP or not all(len(cell[0]) == 1 and self._takes(run, cell) for cell in between):
            return False
        run.glyphs += (glyph for glyph, _ in between)
        run.end = x
        return True

    def _takes(self, run: _Run, cell: Cell) -> bool:
        glyph, pen = cell
        if pen == run.pen:
            return True
        alike = pen[2] == run.pen[2] and not _marks_blanks(pen) and not _marks_blanks(run.pen)
        if alike and glyph == " ":
            return True
        if alike and all(glyph == " " for glyph in run.glyphs):
            run.pen = pen
            return True
        return False


def _marks_blanks(pen: Pen) -> bool:
    return not _UNSEEN_ON_BLANKS.issuperset(pen[0].split(";"))


def pen_of(style: Style | None, colors: ColorSystem | None) -> Pen:
    """The pen of a style, in the colours that there are."""
    if style is None:
        return PLAIN
    attributes = ";".join(code for name, code in _ATTRIBUTES if getattr(style, name))
    if colors is None:
        return (attributes, "", "")
    fore = ";".join(style.color.downgrade(colors).get_ansi_codes()) if style.color else ""
    back = ";".join(style.bgcolor.downgrade(colors).get_ansi_codes(False)) if style.bgcolor else ""
    # A colour by default is no colour.
    return (attributes, "" if fore == "39" else fore, "" if back == "49" else back)


def pen_change(old: Pen, new: Pen) -> str:
    """The command that turns one pen into the other."""
    if old[0] == new[0]:
        parts = [
            after or default
            for before, after, default in zip(old[1:], new[1:], ("39", "49"), strict=True)
            if before != after
        ]
    else:
        parts = [part for part in (("0" if old != PLAIN else ""), *new) if part]
    return f"\x1b[{';'.join(parts)}m"


@lru_cache(8192)
def _glyphs(text: str, ascii_only: bool) -> tuple[str, ...]:
    """A cell's worth of text each; a wide character is followed by empty ones. Control characters show as ``?``."""
    if text.isascii():
        return tuple(text) if text.isprintable() else tuple(c if c.isprintable() else "?" for c in text)
    glyphs: list[str] = []
    for character in text:
        size = get_character_cell_size(character)
        if size:
            glyphs += (character, *repeat("", size - 1))
        elif glyphs:
            at = max(i for i, glyph in enumerate(glyphs) if glyph)
            glyphs[at] += character
    if len(glyphs) != cell_len(text):
        # What joins into one sign, such as some pictograms, is kept together.
        glyphs = [text, *repeat("", max(0, cell_len(text) - 1))]
    if ascii_only:
        return tuple(to_ascii(glyph[0]) if glyph else " " for glyph in glyphs)
    return tuple(glyphs)


def _parts_of_screen(update: LayoutUpdate) -> Iterator[tuple[int, int, Iterable[Segment]]]:
    for y, strips in enumerate(update.strips, update.region.y):
        yield update.region.x, y, [segment for strip in strips for segment in strip]


def _parts_of_chops(update: ChopsUpdate) -> Iterator[tuple[int, int, Iterable[Segment]]]:
    for y, start, stop in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < stop and end > start:
                yield x, y, strip if end <= stop else strip.crop(0, stop - x)
