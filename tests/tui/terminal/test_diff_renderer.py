"""Whatever was shown before, what the renderer sends leads to the same picture as drawing everything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from fxtui.tui.terminal.diff_renderer import DiffRenderer, pen_of
from tests.tui.terminal.screen_model import Model

WIDTH, HEIGHT = 14, 3
STYLES = [
    Style(),
    Style(color="#ff0000", bgcolor="#102030"),
    Style(color="#00ff00", bgcolor="#102030"),
    Style(color="#00ff00", bgcolor="#102030", bold=True),
    Style(color="#00ff00", bgcolor="#102030", underline=True),
    Style(reverse=True),
    Style(color="red"),
]
TEXTS = ["a", "bc", "   ", " ", "é", "─", "漢", "漢字", "e\u0301x", "⣀⣀", "0.123", "\t"]
PIECES = st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(STYLES)), max_size=9)
SCREENS = st.lists(PIECES, min_size=HEIGHT, max_size=HEIGHT)


def strip_of(pieces: list[tuple[str, Style]], width: int = WIDTH) -> Strip:
    return Strip([Segment(text.replace("\t", "?"), style) for text, style in pieces]).adjust_cell_length(width)


def whole(strips: list[Strip]) -> LayoutUpdate:
    return LayoutUpdate([[strip] for strip in strips], Region(0, 0, WIDTH, len(strips)))


def part(strip: Strip, x: int, y: int) -> ChopsUpdate:
    """One widget's row at a place."""
    end = x + strip.cell_length
    chops: list[dict[int, Strip | None]] = [{0: None, x: strip} if row == y and x else {} for row in range(HEIGHT)]
    ends = [[x, end] if chop else [] for chop in chops]
    return ChopsUpdate(chops, [(y, x, end)], ends)


def picture(model: Model) -> list[list[tuple[str, tuple[str, ...]]]]:
    """The cells, with blanks by what is seen of them: their background, lines and reversal."""

    def seen(cell: tuple[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
        glyph, pen = cell
        if glyph != " " or {"4", "7"} & set(pen):
            return glyph, pen
        return glyph, tuple(pen[-1:])

    return [[seen(cell) for cell in row] for row in model.cells]


@given(st.lists(SCREENS, min_size=2, max_size=4), st.sampled_from([ColorSystem.TRUECOLOR, ColorSystem.STANDARD, None]))
def test_changes_lead_to_the_same_picture(screens: list, colors: ColorSystem | None) -> None:  # type: ignore[type-arg]
    renderer, shown = DiffRenderer(colors), Model(WIDTH, HEIGHT)
    for rows in screens:
        strips = [strip_of(row) for row in rows]
        shown.feed(renderer.paint(whole(strips)))
        fresh = Model(WIDTH, HEIGHT)
        fresh.feed(DiffRenderer(colors).paint(whole(strips)))
        assert picture(shown) == picture(fresh)
        assert "".join(c for c, _ in shown.cells[0]) == strips[0].text
        assert renderer.paint(whole(strips)) == ""


@given(SCREENS, PIECES, st.integers(1, 8), st.integers(0, HEIGHT - 1))
def test_a_part_is_drawn_in_its_place(rows: list, pieces: list, x: int, y: int) -> None:  # type: ignore[type-arg]
    renderer, shown = DiffRenderer(ColorSystem.TRUECOLOR), Model(WIDTH, HEIGHT)
    shown.feed(renderer.paint(whole([strip_of([("." * WIDTH, STYLES[1])]) for _ in rows])))
    strip = strip_of(pieces, 5)
    shown.feed(renderer.paint(part(strip, x, y)))
    assert "".join(c for c, _ in shown.cells[y]) == "." * x + strip.text + "." * (WIDTH - x - 5)


def test_one_changed_figure_is_one_move_and_one_pen() -> None:
    renderer = DiffRenderer(ColorSystem.TRUECOLOR)
    before, after = (strip_of([("loss ", STYLES[1]), (text, STYLES[2])]) for text in ("0.1881", "0.1879"))
    renderer.paint(whole([before]))
    assert renderer.paint(whole([after])) == "\x1b[1;10H\x1b[38;2;0;255;0;48;2;16;32;48m79\x1b[m"


def test_the_colour_of_blanks_alone_is_not_sent() -> None:
    renderer = DiffRenderer(ColorSystem.TRUECOLOR)
    renderer.paint(whole([strip_of([("   ", STYLES[1])])]))
    assert renderer.paint(whole([strip_of([("   ", STYLES[2])])])) == ""
    assert renderer.paint(whole([strip_of([("   ", STYLES[4])])])) != ""


def test_after_the_terminal_was_cleared_everything_is_sent() -> None:
    renderer = DiffRenderer(None)
    strips = [strip_of([("abc", STYLES[0])])]
    first = renderer.paint(whole(strips))
    renderer.forget()
    assert renderer.paint(whole(strips)) == first != ""


@pytest.mark.parametrize("style", [Style(color="red", bold=True), Style(bgcolor="#112233", bold=True, dim=None)])
def test_without_colour_only_the_weight_is_left(style: Style) -> None:
    assert pen_of(style, None) == ("1", "", "")


def test_in_ascii_every_cell_has_a_twin_of_its_width() -> None:
    text = DiffRenderer(None, ascii_only=True).paint(whole([strip_of([("漢─●é…", STYLES[0])])]))
    assert text.isascii()
    model = Model(WIDTH, 1)
    model.feed(text)
    assert "".join(c for c, _ in model.cells[0]).rstrip() == "? -*?~"


def test_control_characters_are_not_passed_on() -> None:
    text = DiffRenderer(None).paint(LayoutUpdate([[Strip([Segment("a\x07b", STYLES[0])])]], Region(0, 0, WIDTH, 1)))
    assert re.sub(r"\x1b\[[0-9;]*[HmC]", "", text) == "a?b"
