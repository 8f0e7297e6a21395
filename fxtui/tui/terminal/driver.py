"""Textual's driver, with what it writes counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.drivers.linux_driver import LinuxDriver

from fxtui.tui.terminal.traffic import CountedFile, Traffic

if TYPE_CHECKING:
    from textual.app import App


def counting_driver(traffic: Traffic, on_start: Callable[[], None]) -> type[LinuxDriver]:
    """Textual's driver, counting into ``traffic``; ``on_start`` is called whenever the screen was cleared."""

    class CountingDriver(LinuxDriver):
        """Textual's driver for Unix terminals, with its output counted."""

        def __init__(self, app: App[Any], **options: Any) -> None:
            super().__init__(app, **options)
            self._file: Any = CountedFile(self._file, traffic)

        def start_application_mode(self) -> None:
            """Take over the terminal, at the beginning and after the program was suspended."""
            super().start_application_mode()  # type: ignore[no-untyped-call]
            on_start()

    return CountingDriver
