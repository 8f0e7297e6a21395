"""What the screens with a layer tree share: the acts on the layer under the cursor."""

from __future__ import annotations

from fxtui.run import commands as cmd
from fxtui.tui.messages import CommandWanted
from fxtui.tui.screens.base import RunScreen
from fxtui.tui.widgets.layer_tree import LayerTree


class TreeScreen(RunScreen):
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
        return None if row is None else cmd.SetTrainable(paths=(row.path,), value=row.trainable != "all")

    async def on_layer_tree_toggle_wanted(self, _message: LayerTree.ToggleWanted) -> None:
        """A click on a layer's mark."""
        await self.app.run_action("act('toggle')", default_namespace=self.app)
