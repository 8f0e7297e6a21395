"""What stands beside the layer tree: the price of a change, and how fast each layer learns."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.message import Message

from fxtui.protocol.events import LayerRow
from fxtui.run.state import RunState
from fxtui.tui.views.heat import heat_lines
from fxtui.tui.views.layers import fault_line
from fxtui.tui.views.what_if import what_if_lines
from fxtui.tui.widgets.panel import Panel


class WhatIfPanel(Panel):
    """The price asked for last. ``selected`` gives the layer under the cursor; a click asks for its price."""

    class PriceWanted(Message):
        """The user clicked here."""

    def __init__(self, selected: Callable[[], LayerRow | None], *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._selected = selected

    def draw(self, state: RunState) -> None:
        """The table, or how to get it."""
        row = self._selected()
        self.show(what_if_lines(state, row.path if row else "", self.size.width, self.size.height))

    def on_click(self, _event: events.Click) -> None:
        """Ask."""
        self.post_message(self.PriceWanted())


class HeatPanel(Panel):
    """The map of update-to-weight ratios, and below it what is wrong in the truth table, if anything is."""

    def draw(self, state: RunState) -> None:
        """The newest epochs at the right."""
        width, height = self.size
        fault = fault_line(state, width)
        lines = heat_lines(state, width, height - 1 if fault else height)
        self.show([*lines, fault] if fault else lines)
