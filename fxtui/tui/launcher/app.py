"""The launcher: choose what to go on with, or fill in a new run. It trains nothing; it says what was chosen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from fxtui.config import DataConfig, RunConfig, folder_config
from fxtui.run.nearby import FoundConfig, ImageFolder, Nearby, PastRun
from fxtui.tui.launcher.form_screen import FormHelp, FormScreen
from fxtui.tui.launcher.home_screen import HomeScreen
from fxtui.tui.launcher.home_view import Entry
from fxtui.tui.terminal.base_app import TerminalApp
from fxtui.tui.terminal.profile import TerminalProfile


@dataclass(frozen=True, slots=True)
class GoOn:
    """A run is to go on from its last checkpoint."""

    run: Path


@dataclass(frozen=True, slots=True)
class Attach:
    """A run that is under way is to be watched."""

    run: Path


@dataclass(frozen=True, slots=True)
class StartFile:
    """A configuration is to be trained; ``new``: it was written just now."""

    path: Path
    new: bool = False


Choice = GoOn | Attach | StartFile


class LauncherApp(TerminalApp[Choice]):
    """``run()`` returns what was chosen, None if nothing. ``find`` looks around; files are written into ``folder``.

    ``clock`` gives seconds since the epoch.
    """

    TITLE = "fxtui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", show=False, priority=True, id="launcher.quit")]

    def __init__(
        self,
        find: Callable[[], Nearby],
        help: FormHelp,
        *,
        folder: Path = Path(),
        profile: TerminalProfile | None = None,
        theme: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(profile or TerminalProfile(), folder, theme)
        self._help = help
        self._folder = folder
        self._list = HomeScreen(find, clock, self.profile.ascii_only)

    def on_mount(self) -> None:
        """Open the list."""
        self.push_screen(self._list)
        self.watch_signals()

    def on_home_screen_wanted(self, message: HomeScreen.Wanted) -> None:
        """Do what an entry is for."""
        match message.entry:
            case PastRun(path=path, attachable=True) if not message.edit:
                self.exit(Attach(path))
            case PastRun(path=path, resumable=True) if not message.edit:
                self.exit(GoOn(path))
            case FoundConfig(path=path, config=RunConfig()) if not message.edit:
                self.exit(StartFile(path))
            case entry:
                self._open_form(entry)

    def _open_form(self, entry: Entry) -> None:
        match entry:
            case PastRun(config=RunConfig() as config, name=name):
                base, origin = config, f"based on {name}"
            case FoundConfig(config=RunConfig() as config, path=path):
                base, origin = config, f"based on {path.name}"
            case ImageFolder(path=path):
                base, origin = folder_config(path), ""
            case _:
                base, origin = RunConfig(data=DataConfig(source="digits")), ""
        form = FormScreen(
            base,
            origin,
            self._help,
            sources=[str(found.path) for found in self._list.folders],
            folder=self._folder,
            ascii_only=self.profile.ascii_only,
        )
        self.push_screen(form, self._filled_in)

    def _filled_in(self, path: Path | None) -> None:
        if path is not None:
            self.exit(StartFile(path, new=True))
