"""Plots: reduced without losing extremes, gaps kept, drawn within their room, labels that keep apart."""

from __future__ import annotations

import math
from array import array
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fxtui.text.lines import Line, fit, width_of
from fxtui.tui.plotting.axes import x_label
from fxtui.tui.plotting.figure import draw_plot, plot_lines
from fxtui.tui.plotting.reduction import reduce_points
from fxtui.tui.plotting.scale import GUTTER, column_of, nice_limits, x_of
from fxtui.tui.plotting.spec import Curve, Mark, Overlay, PlotSpec

FLOATS = st.floats(-1e3, 1e3) | st.just(math.nan)
ANY = st.floats(allow_nan=True, allow_infinity=True)


def texts(lines: list[Line]) -> list[str]:
    return ["".join(piece for piece, _ in line) for line in lines]


@given(st.lists(FLOATS, max_size=400), st.integers(1, 60))
def test_reduction_keeps_the_extremes_the_order_and_the_gaps(y: list[float], columns: int) -> None:
    x, end = [float(i) for i in range(len(y))], float(max(1, len(y) - 1))
    xs, ys = reduce_points(x, y, columns, end)
    assert xs == sorted(xs)
    assert all(math.isnan(v) or v == y[int(at)] for at, v in zip(xs, ys, strict=True))
    finite = [v for v in y if math.isfinite(v)]
    kept = [v for v in ys if math.isfinite(v)]
    assert len(kept) <= 2 * columns
    assert bool(finite) == bool(kept)
    if finite:
        assert (min(kept), max(kept)) == (min(finite), max(finite))
    for (a, va), (b, vb) in pairwise(zip(xs, ys, strict=True)):
        if math.isfinite(va) and math.isfinite(vb):
            between = y[int(a) + 1 : int(b)]
            same = column_of(a, end, columns) == column_of(b, end, columns)
            assert not (same and any(map(math.isnan, between)))
    assert any(map(math.isnan, ys)) == any(map(math.isnan, y))


def test_reduction_takes_a_million_points_from_arrays() -> None:
    x = array("d", (float(i) for i in range(1_000_000)))
    y = array("d", (math.sin(i / 1e5) for i in range(1_000_000)))
    y[0], y[777_777] = math.nan, 9.0
    xs, ys = reduce_points(x, y, 70, 1e6)
    assert len(xs) <= 141
    assert max(v for v in ys if math.isfinite(v)) == 9.0


def test_on_a_logarithmic_axis_zeros_hide_nothing() -> None:
    xs, ys = reduce_points([0.0, 1.0, 2.0, 3.0], [1.0, 0.0, 1e-3, 2.0], 1, 3.0, positive=True)
    assert {v for v in ys if math.isfinite(v)} == {1e-3, 2.0}
    assert xs == sorted(xs)


@example(
    y=[], other=[0.0], width=33, height=4, log=False, percent=False, plain=False, axis="epoch", end=0.0, cross=3e306
)
@example(
    y=[1.0], other=[], width=26, height=5, log=False, percent=False, plain=False, axis="step", end=5e-324, cross=None
)
@given(
    st.lists(ANY, max_size=40), st.lists(ANY, max_size=5), st.integers(0, 90), st.integers(0, 20), st.booleans(),
    st.booleans(), st.booleans(), st.sampled_from(["epoch", "step", "time"]), st.floats(0, 1e9), st.none() | ANY,
)  # fmt: skip
def test_a_plot_of_anything_fills_its_room_exactly(
    y: list[float], other: list[float], width: int, height: int, log: bool, percent: bool, plain: bool, axis: str,
    end: float, cross: float | None,
) -> None:  # fmt: skip
    x = [float(i + 1) for i in range(len(y))]
    spec = PlotSpec(
        (Curve("train", x, y), Curve("val", x, y)),
        x_max=end or float(len(y)),
        x_axis=axis,  # type: ignore[arg-type]
        marks=(Mark(1.0, "◆", "◆ layer4"), Mark(1.0, "lr", "lr 3e-4"), Mark(3.0, "‖", "paused")),
        overlays=(Overlay("2", [float(i) for i in range(len(other))], other),),
        holes=(2.0,),
        cross=cross if cross is not None and math.isfinite(cross) else None,
        log=log,
        percent=percent and not log,
        ascii_only=plain,
    )
    before = None
    for _ in range(2):
        drawn = draw_plot(PlotSpec(**{n: getattr(spec, n) for n in spec.__slots__} | {"limits": before}), width, height)
        assert len(drawn.lines) == height
        assert {width_of(line) for line in drawn.lines} <= {width}
        # What was drawn once is drawn again with the same limits.
        assert before is None or drawn.limits == before
        before = drawn.limits


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.booleans())
def test_limits_hold_the_data_and_stay(low: float, span: float, log: bool) -> None:
    high = low + span
    limits = nice_limits(low, high, None, log, False)
    assert limits[0] <= low <= high <= limits[1]
    assert limits[0] < limits[1]
    assert nice_limits(low, high, limits, log, False) == limits
    middle = (low + high) / 2
    assert nice_limits(low + span * 0.1, max(middle, high - span * 0.1), limits, log, False) == limits or span == 0


def test_limits_follow_data_that_leave_or_shrink() -> None:
    limits = nice_limits(0.2, 2.3, None, False, False)
    assert nice_limits(0.2, 7.0, limits, False, False)[1] >= 7.0
    assert nice_limits(0.20, 0.25, limits, False, False)[1] < 0.5
    assert nice_limits(0.52, 0.98, None, False, True) == (0.5, 1.0)


def test_a_curve_that_falls_slowly_leaves_the_axis_alone() -> None:
    limits, seen = None, set()
    for end in range(2, 60):
        x = [float(i) for i in range(end)]
        curve = Curve("train", x, [2.3 * math.exp(-i / 40) for i in range(end)])
        limits = draw_plot(PlotSpec((curve,), x_max=60.0, limits=limits), 75, 10).limits
        seen.add(limits)
    assert len(seen) <= 12


@given(st.floats(1e-6, 1e9), st.floats(1.01, 1e12), st.integers(4, 30), st.booleans())
def test_y_labels_are_different_and_never_side_by_side(low: float, factor: float, height: int, log: bool) -> None:
    spec = PlotSpec((Curve("train", [0.0, 1.0], [low, low * factor]),), x_max=1.0, log=log)
    rows = [text[: GUTTER - 1].strip() for text in texts(plot_lines(spec, 60, height))[:-1]]
    labels = [text for text in rows if text]
    assert len(labels) == len(set(labels))
    assert not any(a and b for a, b in pairwise(rows))
    values = [float(text) for text in labels]
    assert values == sorted(values, reverse=True)


def test_the_axes_say_what_they_measure() -> None:
    curve = Curve("train", [0.0, 1.0], [0.1, 2.0])
    by_epoch = texts(plot_lines(PlotSpec((curve,), x_max=30.0), 75, 10))[-1]
    assert " ".join(by_epoch.split()) == "└0 5 10 15 20 25 epoch 30"
    by_step = texts(plot_lines(PlotSpec((curve,), x_max=390.0, x_axis="step"), 75, 10))[-1]
    assert by_step.rstrip().endswith("step 300")
    in_time = texts(plot_lines(PlotSpec((curve,), x_max=150.0, x_axis="time"), 75, 10))[-1]
    assert " ".join(in_time.split()) == "└0s 30s 1m 1m 30s 2m 2m 30s"
    labels = [text[: GUTTER - 1].strip() for text in texts(plot_lines(PlotSpec((curve,), x_max=1.0, log=True), 75, 12))]
    assert [text for text in labels if text] == ["2.0", "1.0", "0.5", "0.2", "0.1"]


@pytest.mark.parametrize(
    ("value", "axis", "text"),
    [
        (20.0, "epoch", "20"), (1500.0, "step", "1,500"), (20_000.0, "step", "20k"), (2.5e6, "step", "2.5M"),
        (0.0, "time", "0s"), (0.5, "time", "0.5s"), (150.0, "time", "2m 30s"), (3600.0, "time", "1h"),
        (5400.0, "time", "1h 30m"),
    ],
)  # fmt: skip
def test_places_on_the_x_axis(value: float, axis: str, text: str) -> None:
    assert x_label(value, axis) == text  # type: ignore[arg-type]


@given(st.integers(1, 300), st.floats(0.001, 1e6))
def test_the_middle_of_a_column_lies_in_it(columns: int, end: float) -> None:
    assert all(column_of(x_of(column, end, columns), end, columns) == column for column in range(columns))


MARKS = (Mark(3.0, "◆", "◆ layer4"), Mark(3.01, "lr", "lr 3e-4"), Mark(3.4, "‖", "paused"), Mark(9.9, "◆", "◆ layer3"))


def with_marks(marks: tuple[Mark, ...], width: int = 75) -> list[str]:
    curve = Curve("train", [0.0, 10.0], [2.0, 1.0])
    return texts(plot_lines(PlotSpec((curve,), x_max=10.0, marks=marks), width, 11))


def test_marks_of_one_column_share_a_label_and_labels_keep_apart() -> None:
    shown = "\n".join(with_marks(MARKS))
    assert shown.count("◆ layer4 +1") == 1
    assert shown.count("paused") == 1
    assert shown.count("◆ layer3") == 1
    assert "lr 3e-4" not in shown


@given(st.lists(st.floats(0, 10), max_size=12), st.integers(14, 80))
def test_labels_are_whole_or_a_sign_or_left_out(places: list[float], width: int) -> None:
    marks = tuple(Mark(x, "◆", "◆ abc def") for x in places)
    for text in with_marks(marks, width)[:-1]:
        rest = text[GUTTER:].replace("◆ abc def", "").replace("◆", "")
        assert not any(char.isalpha() for char in rest)


def test_a_hole_is_marked_and_a_gap_stays_open() -> None:
    x = [float(i) for i in range(11)]
    y = [1.0, 1.0, 1.0, math.nan, math.nan, math.nan, math.nan, 1.0, 1.0, 1.0, 1.0]
    spec = PlotSpec((Curve("train", x, y),), x_max=10.0, holes=(3.0, 4.0, 5.0, 6.0))
    lines = plot_lines(spec, 75, 10)
    assert [piece for line in lines for piece in line if piece[0] == "✗"] == [("✗", "error")] * 4
    drawn = [piece for line in lines for piece, role in line if role == "train"]
    assert len(drawn) == 2


def test_where_no_figure_is_a_number_the_holes_are_there_all_the_same() -> None:
    spec = PlotSpec((Curve("train", [1.0], [math.nan]),), x_max=2.0, holes=(1.0,), empty="no figure is a number")
    shown = "\n".join(texts(plot_lines(spec, 60, 10)))
    assert "no figure is a number" in shown
    assert "✗" in shown


def test_an_overlay_is_dotted_and_ends_in_its_label() -> None:
    x = [0.0, 5.0, 10.0]
    overlay = Overlay("2", x[:2], [2.0, 1.5])
    spec = PlotSpec((Curve("val", x, [1.0, 0.5, 0.2]),), x_max=20.0, overlays=(overlay,))
    lines = plot_lines(spec, 75, 10)
    places = [text[GUTTER:].find("2") for text in texts(lines)[:-1]]
    assert column_of(5.0, 20.0, 69) + 1 in places
    assert sum(role == "muted" and piece[0] > "\u2800" for line in lines for piece, role in line) > 3


def test_the_crosshair_spares_curves_and_labels() -> None:
    x = [float(i) for i in range(11)]
    spec = PlotSpec((Curve("train", x, [1.0] * 11),), x_max=10.0, marks=(Mark(2.0, "◆", "◆ a b c d e"),), cross=2.5)
    column = GUTTER + column_of(2.5, 10.0, 69)
    shown = texts(plot_lines(spec, 75, 10))
    assert "◆ a b c d e" in "\n".join(shown)
    assert sum(text[column] == "│" for text in shown[:-1]) == 7


def test_curves_are_told_apart_without_colour() -> None:
    x, y = [1.0, 5.0, 9.0], [2.0, 1.0, 0.5]
    spec = PlotSpec(
        (Curve("train", x, y), Curve("val", x, [v + 0.5 for v in y])),
        x_max=10.0,
        overlays=(Overlay("2", x, [v + 1 for v in y]),),
        ascii_only=True,
    )
    text = "".join(text[GUTTER:] for text in texts(plot_lines(spec, 60, 12))[:-1])
    assert {"*", "o", ".", "2"} <= set(text)


@given(st.lists(st.tuples(st.text("ab×●", max_size=9), st.just("muted")), max_size=6), st.integers(0, 30))
def test_lines_fit(pieces: list[tuple[str, str]], width: int) -> None:
    assert width_of(fit(tuple(pieces), width)) == width
