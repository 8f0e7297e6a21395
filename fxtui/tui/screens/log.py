"""The log screen."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from fxtui.tui.actions import bindings_on
from fxtui.tui.screens.base import RunScreen


class LogScreen(RunScreen):
    """To come."""

    NAME = "log"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_on("log")]
