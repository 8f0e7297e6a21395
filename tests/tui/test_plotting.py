"""Curves: reduced without losing extremes, gaps kept, drawn within their room."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from fxtui.tui.lines import fit, width_of
from fxtui.tui.plotting import Curve, PlotSpec, plot_lines, reduce_points

FLOATS = st.floats(-1e3, 1e3) | st.just(math.nan)


@given(st.lists(FLOATS, max_size=400), st.integers(8, 60))
def test_reduction_keeps_the_extremes(y: list[float], columns: int) -> None:
    xs, ys = reduce_points(list(range(len(y))), y, columns)
    assert len(xs) <= max(columns * 2, len(y) if len(y) <= columns * 2 else 0)
    assert xs == sorted(xs)
    finite = [v for v in y if math.isfinite(v)]
    if finite:
        kept = [v for v in ys if math.isfinite(v)]
        assert (min(kept), max(kept)) == (min(finite), max(finite))


@given(
    st.lists(st.floats(0.001, 50) | st.just(math.nan), max_size=40),
    st.integers(5, 90),
    st.integers(1, 20),
    st.booleans(),
)
def test_a_plot_fills_its_room_exactly(y: list[float], width: int, height: int, log: bool) -> None:
    x = [float(i + 1) for i in range(len(y))]
    spec = PlotSpec(
        (Curve("train", x, y), Curve("val", x, y)), x_max=float(max(len(y), 1)), marks=((1.0, "layer4"),), log=log
    )
    lines = plot_lines(spec, width, height)
    assert len(lines) == height
    assert {width_of(line) for line in lines} == {width}


def test_train_and_validation_are_told_apart_without_colour() -> None:
    x, y = [1.0, 5.0, 9.0], [2.0, 1.0, 0.5]
    spec = PlotSpec((Curve("train", x, y), Curve("val", x, [v + 0.5 for v in y])), x_max=10.0, ascii_only=True)
    text = "".join(piece for line in plot_lines(spec, 60, 12) for piece, _ in line)
    assert "*" in text
    assert "o" in text


@given(st.lists(st.tuples(st.text("ab×●", max_size=9), st.just("muted")), max_size=6), st.integers(0, 30))
def test_lines_fit(pieces: list[tuple[str, str]], width: int) -> None:
    assert width_of(fit(tuple(pieces), width)) == width
