"""Plots as lines of text. `draw` puts them together; only `canvas` knows the plot library."""

from fxtui.tui.plotting.figure import Drawn, draw_plot, plot_lines
from fxtui.tui.plotting.reduction import reduce_points
from fxtui.tui.plotting.scale import GUTTER, column_of, x_of
from fxtui.tui.plotting.spec import Curve, Limits, Mark, Overlay, PlotSpec, XAxis

__all__ = [
    "GUTTER",
    "Curve",
    "Drawn",
    "Limits",
    "Mark",
    "Overlay",
    "PlotSpec",
    "XAxis",
    "column_of",
    "draw_plot",
    "plot_lines",
    "reduce_points",
    "x_of",
]
