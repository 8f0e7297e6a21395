"""The layers screen: the tree with the truth about every layer, the price of a change, and how fast layers learn."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from fxtui.protocol import commands as cmd
from fxtui.tui.dashboard.actions import bindings_on
from fxtui.tui.dashboard.layout import Layout, stack
from fxtui.tui.dashboard.messages import CommandWanted, Notice
from fxtui.tui.dashboard.owners import ActsOnLayers
from fxtui.tui.dashboard.screens.tree_screen import TreeScreen
from fxtui.tui.views.footer import KeyHint
from fxtui.tui.widgets.find_field import FindField
from fxtui.tui.widgets.layer_tree import LayerTree
from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.panels.beside_tree import HeatPanel, WhatIfPanel

_WIDE = 98
_GAP = 3
_NORMS = ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "RMSNorm")


class LayersScreen(TreeScreen, ActsOnLayers):
    """Every layer, and what one can do to it."""

    NAME = "layers"
    HINTS = (KeyHint("◂▸", "fold"),)
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_on("layers"),
        Binding("escape", "show_all", "show all layers", show=False, id="show-all"),
    ]

    def panels(self) -> tuple[Panel, ...]:
        """The tree first, so that its keys work at once."""
        plain = self.profile.ascii_only
        self._tree = LayerTree(id="layers", ascii_only=plain)
        return (
            self._tree,
            WhatIfPanel(lambda: self._tree.selected, id="what-if", ascii_only=plain),
            HeatPanel(id="heat", ascii_only=plain),
        )

    def compose(self) -> ComposeResult:
        """The frame, and the field for searching."""
        yield from super().compose()
        yield FindField(placeholder="a part of a layer's name or type", id="find")

    def panel_layout(self, width: int, height: int) -> Layout:
        """The tree above; the price and the map below it, side by side where it is wide."""
        if width < _WIDE:
            below = 8 if height >= 18 else 0
            return stack(0, width, height, (("layers", height - below, 0), ("what-if", 8, 0)))
        below = min(15, max(9, height // 3))
        half = (width - _GAP) // 2
        top = height - below - 1
        return {
            **stack(0, width, top, (("layers", top, 0),)),
            **stack(0, half, below, (("what-if", below, 0),), top + 1),
            **stack(half + _GAP, width - half - _GAP, below, (("heat", below, 0),), top + 1),
        }

    def do_only_this(self) -> None:
        """Train the layer under the cursor, freeze all others but the head."""
        row = self._tree.selected
        if row is not None:
            self.post_message(CommandWanted(cmd.SetTrainable(paths=(row.path,), value=True, only=True)))

    def do_only_norms(self) -> None:
        """Train the normalisation layers only."""
        paths = tuple(
            row.path for row in self.state.layers if not row.is_head and any(name in row.kind for name in _NORMS)
        )
        if paths:
            self.post_message(CommandWanted(cmd.SetTrainable(paths=paths, value=True, only=True)))
        else:
            self.post_message(Notice("n: this network has no normalisation layers", "warning"))

    def do_only_biases(self) -> None:
        """Train the biases only."""
        self.post_message(CommandWanted(cmd.SetTrainable(paths=("*.bias",), value=True, only=True)))

    def do_find_layer(self) -> None:
        """Ask for a part of a name."""
        self.query_one(FindField).open()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what holds the text, as it is typed."""
        self._tree.find(event.value.strip())

    def on_find_field_closed(self, event: FindField.Closed) -> None:
        """Back to the tree; what was found stays unless the search was given up."""
        if not event.kept:
            self._tree.find("")
        self._tree.focus()

    def action_show_all(self) -> None:
        """Give up the search."""
        self.query_one(FindField).value = ""
        self._tree.find("")
