"""The main screen: how it is going, the curves, the epochs, the layers."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from fxtui.tui.actions import bindings_on
from fxtui.tui.places import Places, stack
from fxtui.tui.screens.plot_keys import PlotKeys
from fxtui.tui.screens.tree_screen import TreeScreen
from fxtui.tui.widgets.layer_tree import LayerTree
from fxtui.tui.widgets.panels import EpochPanel, LogPanel, Panel
from fxtui.tui.widgets.plot_panel import PlotPanel
from fxtui.tui.widgets.system_panel import SystemPanel

_WIDE = 98
_GAP = 2


class MainScreen(PlotKeys, TreeScreen):
    """Everything at a glance."""

    NAME = "main"
    HINTS = (("◂▸", "read"),)
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_on("main")]

    def panels(self) -> tuple[Panel, ...]:
        """The layers come first, so that their keys work at once."""
        plain = self.look.ascii_only
        return (
            LayerTree(id="layers", ascii_only=plain),
            PlotPanel("loss", id="loss", ascii_only=plain),
            PlotPanel("accuracy", id="accuracy", ascii_only=plain),
            EpochPanel(id="epochs", ascii_only=plain),
            LogPanel(id="log", ascii_only=plain),
            SystemPanel(id="system", ascii_only=plain),
        )

    def places(self, width: int, height: int) -> Places:
        """One column of panels, two, or three, by the room there is."""
        return main_places(width, height)


def main_places(width: int, height: int) -> Places:
    """Where the panels of the main screen stand in a body of so many cells."""
    if width >= _WIDE:
        left = (width - _GAP) * 3 // 5
        return {
            **stack(0, left, height, (("loss", 6, 3), ("accuracy", 6, 3), ("epochs", 4, 3))),
            **stack(left + _GAP, width - left - _GAP, height, (("layers", 8, 4), ("log", 4, 1), ("system", 4, 0))),
        }
    half = (width - _GAP) // 2
    top = max(5, height * 9 // 19)
    return {
        **stack(0, half, height, (("loss", top, 0), ("layers", 4, 1))),
        **stack(half + _GAP, width - half - _GAP, height, (("accuracy", top, 0), ("epochs", 4, 1))),
    }
