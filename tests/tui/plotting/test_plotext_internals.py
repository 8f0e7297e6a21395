"""What is relied on in plotext is still there, and its output is still read."""

from __future__ import annotations

from importlib import metadata, util

import pytest

from fxtui.tui.plotting import braille_curves as canvas

WHERE = f"see fxtui/tui/plotting/braille_curves.py, read in plotext {canvas.READ_IN}; used for the curves"
VERSION = metadata.version("plotext")


def test_the_figure_of_ones_own_is_where_it_was() -> None:
    assert util.find_spec("plotext._figure"), f"plotext {VERSION} no longer has plotext._figure: {WHERE}"
    found = __import__("plotext._figure", fromlist=["_figure_class"])
    assert hasattr(found, "_figure_class"), f"plotext {VERSION} no longer has plotext._figure._figure_class: {WHERE}"


@pytest.mark.parametrize("name", canvas.METHODS)
def test_a_method_of_the_figure_is_there(name: str) -> None:
    figure = canvas.new_figure()
    assert callable(getattr(figure, name, None)), f"plotext {VERSION} no longer has figure.{name}: {WHERE}"


def test_the_output_is_lines_with_the_colours_that_stand_for_roles() -> None:
    figure = canvas.new_figure()
    figure.plot_size(10, 3)
    figure.frame(False)
    figure.xfrequency(0)
    figure.yfrequency(0)
    figure.plot([0, 9], [0.0, 1.0], marker="braille", color=81)
    text = figure.build()
    assert "\x1b[38;5;81m" in text, f"plotext {VERSION} writes colours otherwise: {WHERE}"
    assert len(text.rstrip("\n").split("\n")) == 3, f"plotext {VERSION} writes other lines: {WHERE}"
