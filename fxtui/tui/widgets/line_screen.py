"""A screen that knows the colours of the roles in its lines."""

from __future__ import annotations

from typing import ClassVar

from textual.screen import ScreenResultType

from fxtui.text.lines import ROLES
from fxtui.tui.terminal.textual_internals import HeldScreen


class LineScreen(HeldScreen[ScreenResultType]):
    """The style sheet gives each role its style here, once: styling them for every view made opening a screen slow."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"fx--{role}" for role in ROLES}

    def on_mount(self) -> None:
        """Paint as soon as all is there."""
        self.start_clock()
