"""The layers screen."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from fxtui.tui.actions import bindings_on
from fxtui.tui.screens.base import RunScreen


class LayersScreen(RunScreen):
    """To come."""

    NAME = "layers"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_on("layers")]
