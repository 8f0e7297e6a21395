"""The confusion screen."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from fxtui.tui.actions import bindings_on
from fxtui.tui.screens.base import RunScreen


class ConfusionScreen(RunScreen):
    """To come."""

    NAME = "confusion"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_on("confusion")]
