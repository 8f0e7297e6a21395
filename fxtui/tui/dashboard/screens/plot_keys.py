"""The keys of a screen's plots: all of them are shown in the same way and share one crosshair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from textual.dom import DOMNode

from fxtui.tui.dashboard.owners import ActsOnPlots
from fxtui.tui.views.curves import AXES, PlotSettings, shown_by
from fxtui.tui.widgets.panels.plot import PlotPanel


class PlotKeys(DOMNode, ActsOnPlots):
    """What a screen with plots does on their keys; to be mixed in after its base: Textual follows the first."""

    def do_log_scale(self) -> None:
        """Switch the loss axis between linear and logarithmic."""
        self._change_plots(lambda panel: replace(panel.settings, log=not panel.settings.log))

    def do_x_axis(self) -> None:
        """Switch the x axis: epoch, step, time."""

        def next_axis(panel: PlotPanel) -> PlotSettings:
            at = AXES.index(panel.settings.x_axis) + 1
            return replace(panel.settings, x_axis=AXES[at % len(AXES)])

        self._change_plots(next_axis)

    def do_per_batch(self) -> None:
        """Show the training curve by epoch where it is by batch, and the other way round."""

        def other(panel: PlotPanel) -> PlotSettings:
            by_batch = panel.state is not None and shown_by(panel.state, panel.settings) == "batch"
            return replace(panel.settings, by="epoch" if by_batch else "batch")

        self._change_plots(other)

    def do_smooth_less(self) -> None:
        """Smooth the training curve by batch less."""
        self._smooth(-1)

    def do_smooth_more(self) -> None:
        """Smooth the training curve by batch more."""
        self._smooth(1)

    def _smooth(self, places: int) -> None:
        self._change_plots(lambda panel: replace(panel.settings, smoothing=panel.settings.stepped(places), by="batch"))

    def _change_plots(self, change: Callable[[PlotPanel], PlotSettings]) -> None:
        for panel in self.query(PlotPanel):
            panel.set_settings(change(panel))

    def on_plot_panel_crosshair_moved(self, message: PlotPanel.CrosshairMoved) -> None:
        """Move the crosshairs of the other plots along."""
        for panel in self.query(PlotPanel):
            if panel is not message.panel:
                panel.set_crosshair(message.x)
