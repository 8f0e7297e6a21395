"""Every private part of Textual that this program relies on, as it was read in the version named below.

Nothing else imports from a module of Textual that begins with an underscore, or touches an attribute that does.
A test looks at each part in :data:`PARTS`, and says what a new version of Textual has taken away.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

from rich.console import RenderableType
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual._xterm_parser import XTermParser
from textual.app import App, ReturnType
from textual.command import CommandList, CommandPalette
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Paste
from textual.message import Message
from textual.screen import Screen, ScreenResultType

__all__ = [
    "PARTS",
    "READ_IN",
    "ChopsUpdate",
    "CompositorUpdate",
    "FilteredApp",
    "FilteredDriver",
    "HeldScreen",
    "LayoutUpdate",
    "Part",
    "TolerantPalette",
    "looks_pasted",
    "mark_as_styled",
]

READ_IN = "8.2.8"
_PASTED_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Part:
    """``owner`` is a class of Textual, by module and name; ``name`` an attribute or a method of it.

    ``parameters`` are the method's, after ``self``; None: it is no method.
    """

    owner: str
    name: str
    used_for: str
    parameters: tuple[str, ...] | None = None


_DIFFS = "sending only the cells that differ"
_BATCHES = "painting nothing while screens change"
_STYLES = "opening a screen without reading all style sheets again"
PARTS = (
    Part("textual._compositor.CompositorUpdate", "render_segments", _DIFFS, ("console",)),
    Part("textual._compositor.LayoutUpdate", "strips", _DIFFS),
    Part("textual._compositor.LayoutUpdate", "region", _DIFFS),
    Part("textual._compositor.ChopsUpdate", "chops", _DIFFS),
    Part("textual._compositor.ChopsUpdate", "spans", _DIFFS),
    Part("textual._compositor.ChopsUpdate", "chop_ends", _DIFFS),
    Part("textual.app.App", "_display", _DIFFS, ("screen", "renderable")),
    Part("textual.message_pump.MessagePump", "_running", _DIFFS),
    Part("textual.message_pump.MessagePump", "_closed", _DIFFS),
    Part("textual.app.App", "_batch_count", _BATCHES),
    Part("textual.app.App", "_exception", "telling of a dashboard that crashed"),
    Part("textual.app.App", "_driver", "giving the terminal back while the program is stopped"),
    Part("textual.app.App", "delay_update", _BATCHES, ("delay",)),
    Part("textual.app.App", "_css_update_count", _STYLES),
    Part("textual.screen.Screen", "_css_update_count", _STYLES),
    Part("textual.screen.Screen", "_update_timer", "a first paint that waits for no tick of the screen's clock"),
    Part("textual.screen.Screen", "_compositor_refresh", _BATCHES, ()),
    Part("textual.drivers.linux_driver.LinuxDriver", "_file", "counting what goes to the terminal"),
    Part("textual._xterm_parser.XTermParser", "feed", "telling a paste from keys", ("data",)),
    Part("textual.drivers.linux_driver.LinuxDriver", "write", "drawing nothing in the background", ("data",)),
    Part("textual.drivers.linux_driver.LinuxDriver", "fileno", "knowing whose turn it is at the terminal"),
    Part("textual.drivers.linux_driver.LinuxDriver", "start_application_mode", "knowing of a cleared screen", ()),
    Part("textual.command.CommandPalette", "_action_command_list", "keys before the palette has its list", ("action",)),
)


class FilteredApp(App[ReturnType]):
    """An application whose updates pass through :meth:`filter_update` on their way to the terminal."""

    @property
    def is_batching(self) -> bool:
        """Whether painting is held back."""
        return bool(self._batch_count)

    @property
    def terminal_driver(self) -> FilteredDriver | None:
        """What draws on the terminal; None where there is none."""
        return self._driver if isinstance(self._driver, FilteredDriver) else None

    @property
    def crash(self) -> Exception | None:
        """What ended the application, if it was no wish of anybody's."""
        return self._exception

    def filter_update(self, update: CompositorUpdate) -> CompositorUpdate | None:
        """What to send in place of an update; None: nothing. Called only where it would be sent."""
        return update

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        sent = self._running and not self._closed and not self._batch_count and not self.is_headless
        if sent and isinstance(renderable, CompositorUpdate):
            renderable = self.filter_update(renderable)
        super()._display(screen, renderable)


def mark_as_styled(screen: Screen[Any], app: App[Any]) -> None:
    """Have Textual take a screen's styles for the newest, so that it does not read all style sheets for it."""
    screen._css_update_count = app._css_update_count


class HeldScreen(Screen[ScreenResultType]):
    """A screen that renders nothing while painting is held back, and whose clock can be let run at once."""

    def start_clock(self) -> None:
        """Let the screen's own clock run from now: its first paint would wait for the first tick after all is there."""
        self._update_timer.resume()

    def _compositor_refresh(self) -> None:
        # Textual renders everything and throws it away.
        if not self.app._batch_count:
            super()._compositor_refresh()


class TolerantPalette(CommandPalette):
    """Textual's command palette, but for keys that move in a list which does not stand on the screen yet."""

    def _action_command_list(self, action: str) -> None:
        # Textual looks up lines that such a list does not have, and fails.
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)


class _Parser(XTermParser):
    """Takes letters that come all at once for a paste, also where the terminal does not mark it as one."""

    def feed(self, data: str) -> Iterable[Message]:
        return (Paste(data),) if looks_pasted(data) else super().feed(data)


# The driver makes its parser by this name.
setattr(linux_driver, "XTermParser", _Parser)  # noqa: B010  # it is not exported, but looked up there


def looks_pasted(data: str) -> bool:
    """Whether what was read at once holds more different letters than anybody presses keys in a moment.

    Answers and reports of a terminal begin with an escape, and a key that is held down is one letter.
    """
    plain = all(sign.isprintable() or sign in "\t\r\n" for sign in data)
    return plain and len({sign for sign in data if sign.isalpha()}) >= _PASTED_LETTERS


class FilteredDriver(LinuxDriver):
    """Textual's driver for Unix terminals, which writes through :meth:`filter_file`."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        # Textual draws on standard error, which may go into a file; a terminal to draw on was looked for on the other.
        terminal = self._file if self._file.isatty() else sys.__stdout__
        self._file: Any = self.filter_file(terminal or self._file)
        # While the terminal is another's, what is drawn is dropped: the thread that writes has ended.
        self.muted = False

    def write(self, data: str) -> None:
        """Write, unless muted."""
        if not self.muted:
            super().write(data)

    def filter_file(self, file: IO[str]) -> Any:
        """What to write into in place of the terminal's file: with ``write``, ``flush`` and ``fileno``."""
        return file

    def screen_cleared(self) -> None:
        """Called at the beginning, and after the program was suspended."""

    def start_application_mode(self) -> None:
        """Take over the terminal."""
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual leaves it untyped
        self.screen_cleared()
