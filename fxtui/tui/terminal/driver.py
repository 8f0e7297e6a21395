"""Textual's driver, with what it writes counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

from fxtui.tui.terminal.textual_internals import FilteredDriver
from fxtui.tui.terminal.traffic import CountedFile, Traffic


def counting_driver(traffic: Traffic, on_start: Callable[[], None]) -> type[FilteredDriver]:
    """Textual's driver, counting into ``traffic``; ``on_start`` is called whenever the screen was cleared."""

    class CountingDriver(FilteredDriver):
        """With its output counted."""

        def filter_file(self, file: IO[str]) -> CountedFile:
            """The same file, counted."""
            return CountedFile(file, traffic)

        def screen_cleared(self) -> None:
            """Tell of it."""
            on_start()

    return CountingDriver
