"""The command line's options for how the dashboard is drawn."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fxtui.tui.terminal.profile import TerminalProfile


@dataclass(frozen=True)
class DisplayOptions:
    """How the dashboard is to be drawn; ``theme`` None: by the terminal."""

    ascii_only: bool = False
    low_bandwidth: bool = False
    no_color: bool = False
    theme: str | None = None

    def profile(self) -> TerminalProfile:
        """What is drawn with these options on this terminal."""
        from fxtui.tui.terminal.profile import profile_for

        return profile_for(
            os.environ,
            sys.stdout.encoding or "",
            ascii_only=self.ascii_only,
            low_bandwidth=self.low_bandwidth,
            no_color=self.no_color,
        )


def theme_of(display: DisplayOptions) -> str | None:
    """The full name of the theme that was asked for.

    Raises:
        ConfigError: there is no such theme.
    """
    if display.theme is None:
        return None
    from fxtui.tui.terminal.theme import theme_named

    return theme_named(display.theme)
