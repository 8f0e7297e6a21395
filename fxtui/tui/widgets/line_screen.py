"""A screen that knows the colours of the roles in its lines."""

from __future__ import annotations

from typing import ClassVar

from textual.screen import Screen, ScreenResultType

from fxtui.text.lines import ROLES


class LineScreen(Screen[ScreenResultType]):
    """The style sheet gives each role its style here, once: styling them for every view made opening a screen slow."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"fx--{role}" for role in ROLES}

    def on_mount(self) -> None:
        """Let the screen's own clock run from now: its first paint would wait for the first tick after all is there."""
        self._update_timer.resume()

    def _compositor_refresh(self) -> None:
        # While painting is held back, Textual renders everything and throws it away.
        if not self.app._batch_count:
            super()._compositor_refresh()
