"""What the screens with a layer tree share: the acts on the layer under the cursor."""

from __future__ import annotations

from collections.abc import Mapping

from fxtui.protocol import commands as cmd
from fxtui.run.state import RunState
from fxtui.tui.dashboard.messages import CommandWanted
from fxtui.tui.dashboard.owners import ActsOnTree
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.widgets.layer_tree import LayerTree
from fxtui.tui.widgets.panels.beside_tree import WhatIfPanel


class TreeScreen(RunScreen, ActsOnTree):
    """A screen with a `LayerTree`."""

    def do_toggle(self) -> None:
        """Train or freeze the layer under the cursor."""
        if (change := self.toggle_command()) is not None:
            self.post_message(CommandWanted(change))

    def do_what_if(self) -> None:
        """Ask what toggling it would cost."""
        if (change := self.toggle_command()) is not None:
            self.post_message(CommandWanted(cmd.Estimate(change=change)))

    def toggle_command(self) -> cmd.SetTrainable | None:
        """What `do_toggle` would ask for; None without a layer under the cursor."""
        row = self.query_one(LayerTree).selected
        if row is None:
            return None
        trains = self.pending.get(row.path, row.trainable == "all")
        return cmd.SetTrainable(paths=(row.path,), value=not trains)

    def show_pending(self, layers: Mapping[str, bool]) -> None:
        """Mark them in the tree at once."""
        super().show_pending(layers)
        self.query_one(LayerTree).show_pending(layers)

    def show_state(self, state: RunState, now: float | None) -> None:
        """With the marks of what has been asked."""
        self.query_one(LayerTree).pending = self.pending
        super().show_state(state, now)

    def on_layer_tree_moved(self, _message: LayerTree.Moved) -> None:
        """What is said of the layer under the cursor is said of another now."""
        for panel in self.query(WhatIfPanel):
            panel.redraw()

    async def on_what_if_panel_price_wanted(self, _message: WhatIfPanel.PriceWanted) -> None:
        """A click on the price."""
        await self.app.run_action("act('what_if')", default_namespace=self.app)

    async def on_layer_tree_toggle_wanted(self, _message: LayerTree.ToggleWanted) -> None:
        """A click on a layer's mark."""
        await self.app.run_action("act('toggle')", default_namespace=self.app)
