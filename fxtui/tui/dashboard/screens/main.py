"""The main screen: how it is going, the curves, the epochs, the layers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType

from fxtui.run.catalogue import RunEntry
from fxtui.run.state import RunState
from fxtui.tui.dashboard.actions import bindings_on
from fxtui.tui.dashboard.image_requests import ImageRequests
from fxtui.tui.dashboard.layout import Layout, stack
from fxtui.tui.dashboard.messages import CommandWanted
from fxtui.tui.dashboard.screens.plot_keys import PlotKeys
from fxtui.tui.dashboard.screens.tree_screen import TreeScreen
from fxtui.tui.dashboard.surroundings import Surroundings
from fxtui.tui.views.curves import OverlayRun
from fxtui.tui.views.footer import KeyHint
from fxtui.tui.views.images import chosen_images
from fxtui.tui.widgets.layer_tree import LayerTree
from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.panels.beside_tree import HeatPanel, WhatIfPanel
from fxtui.tui.widgets.panels.confusion import SmallMatrix
from fxtui.tui.widgets.panels.images import PredictionPanel
from fxtui.tui.widgets.panels.overview import EpochPanel, LogPanel
from fxtui.tui.widgets.panels.plot import PlotPanel
from fxtui.tui.widgets.panels.system import SystemPanel

_WIDE, _HUGE = 98, 158
_LEAST_FOUR = 12
# Between two images that nobody asked for.
_PREDICTION_SECONDS = 10.0
_GAP = 2


class MainScreen(TreeScreen, PlotKeys):
    """Everything at a glance."""

    NAME = "main"
    HINTS = (KeyHint("◂▸", "read"),)
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_on("main")]

    def __init__(
        self, state: RunState, surroundings: Surroundings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(state, surroundings)
        self._requests = ImageRequests(clock, between=_PREDICTION_SECONDS)

    def panels(self) -> tuple[Panel, ...]:
        """The layers come first, so that their keys work at once."""
        plain = self.profile.ascii_only
        around = self.surroundings
        signs = plain or self.profile.no_color
        self._tree = LayerTree(id="layers", ascii_only=plain)
        return (
            self._tree,
            PlotPanel("loss", id="loss", ascii_only=plain),
            PlotPanel("accuracy", id="accuracy", ascii_only=plain),
            EpochPanel(id="epochs", ascii_only=plain),
            WhatIfPanel(lambda: self._tree.selected, id="what-if", ascii_only=plain),
            HeatPanel(id="heat", ascii_only=plain),
            PredictionPanel(id="prediction", ascii_only=plain, plain=signs),
            SmallMatrix(id="matrix", ascii_only=plain),
            LogPanel(id="log", ascii_only=plain),
            SystemPanel(around.machine, around.traffic, id="system", ascii_only=plain),
        )

    def panel_layout(self, width: int, height: int) -> Layout:
        """One column of panels, two, or three, by the room there is."""
        return main_layout(width, height)

    def overlay(self, runs: tuple[RunEntry, ...]) -> None:
        """Draw the validation curves of other runs beside this one's."""
        overlays = [OverlayRun(run.short_name, run.epochs, run.started) for run in runs]
        for plot in self.query(PlotPanel):
            plot.set_overlays(overlays)

    def show_body(self, state: RunState) -> None:
        """Keep the worst image of the last evaluation in sight, where there is room for it."""
        if not self.query_one(PredictionPanel).display or state.evaluation is None or not state.evaluation.images:
            return
        # However many look on from elsewhere, the run has one screen's questions to answer.
        if self.standing.elsewhere:
            return
        worst = chosen_images(state.evaluation, errors_first=False, pair=None)[0]
        if (request := self._requests.next_image(state, worst.image, len(state.epochs))) is not None:
            self.post_message(CommandWanted(request))


def main_layout(width: int, height: int) -> Layout:
    """Where the panels of the main screen stand in a body of so many cells."""
    plots = (("loss", 6, 3), ("accuracy", 6, 3), ("epochs", 4, 3))
    if width >= _HUGE:
        left, middle = width * 2 // 5, width * 3 // 10
        right = width - left - middle - 2 * _GAP
        at = left + _GAP
        return {
            **stack(0, left, height, plots),
            **stack(at, middle, height, (("layers", 14, 3), ("what-if", 9, 0), ("heat", 10, 1))),
            **stack(
                at + middle + _GAP, right, height,
                (("prediction", 11, 0), ("matrix", 14, 0), ("log", 5, 1), ("system", 5, 0)),
            ),
        }  # fmt: skip
    if width >= _WIDE:
        left = (width - _GAP) * 3 // 5
        # Less height: the system's figures, the log, the prediction, the price go in that order.
        wants = [("layers", 10, 3), ("what-if", 7, 0), ("prediction", 10, 0), ("log", 3, 1), ("system", 4, 0)]
        while len(wants) > 1 and sum(least for _, least, _ in wants) > height:
            wants.pop()
        return {
            **stack(0, left, height, plots),
            **stack(left + _GAP, width - left - _GAP, height, wants),
        }
    half = (width - _GAP) // 2
    if height < _LEAST_FOUR:
        return {
            **stack(0, half, height, (("layers", height, 0),)),
            **stack(half + _GAP, width - half - _GAP, height, (("loss", height, 0),)),
        }
    top = max(5, height * 9 // 19)
    return {
        **stack(0, half, height, (("loss", top, 0), ("layers", 4, 1))),
        **stack(half + _GAP, width - half - _GAP, height, (("accuracy", top, 0), ("epochs", 4, 1))),
    }
