"""The first screen of the launcher: what is here to go on with, and a new run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message

from fxtui import __version__
from fxtui.machine.directories import home
from fxtui.run.nearby import ImageFolder, Nearby
from fxtui.text.lines import fit
from fxtui.tui.launcher import home_view as view
from fxtui.tui.views.footer import key_at
from fxtui.tui.widgets.choice_list import ChoiceList
from fxtui.tui.widgets.line_screen import LineScreen
from fxtui.tui.widgets.line_view import LineView

_WITH_DETAILS = 140
_DETAILS_GAP = 2


class HomeScreen(LineScreen[None]):
    """Shows what ``find`` returns, which is called in a thread once the screen stands.

    ``clock`` gives seconds since the epoch.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", show=False, id="home.new"),
        Binding("e", "edit", show=False, id="home.edit"),
        Binding("q,ctrl+c", "quit", show=False, id="home.quit"),
    ]

    class Wanted(Message):
        """The user wants something of an entry: ``enter`` as the key line says, or ``edit`` the form."""

        def __init__(self, entry: view.Entry, *, edit: bool) -> None:
            super().__init__()
            self.entry = entry
            self.edit = edit

    def __init__(self, find: Callable[[], Nearby], clock: Callable[[], float], ascii_only: bool) -> None:
        super().__init__()
        self._find = find
        self._clock = clock
        self._found: Nearby | None = None
        self._rows: list[view.Row] = []
        self._header = LineView(id="home-header", ascii_only=ascii_only)
        self._list = ChoiceList(id="choices", ascii_only=ascii_only)
        self._details = LineView(id="details", ascii_only=ascii_only)
        self._advice = LineView(id="advice", ascii_only=ascii_only)
        self._keys = LineView(id="keys", ascii_only=ascii_only)

    @property
    def folders(self) -> tuple[ImageFolder, ...]:
        """The folders of images that were found."""
        return self._found.folders if self._found else ()

    @property
    def entry(self) -> view.Entry | None:
        """The entry under the cursor."""
        entries = [row.entry for row in self._rows if row.entry is not None]
        return entries[self._list.cursor] if entries else None

    def compose(self) -> ComposeResult:
        """The list, details beside it where there is room, and the keys."""
        yield self._header
        with Horizontal(id="launcher-body"):
            yield self._list
            yield self._details
        yield self._advice
        yield self._keys

    def on_mount(self) -> None:
        """Look around only once something stands on the screen."""
        self._list.focus()
        self.call_after_refresh(self.look_around)

    def on_screen_resume(self) -> None:
        """Back from the form: there may be a new file."""
        if self._found is not None:
            self.look_around()

    def on_resize(self, event: events.Resize) -> None:
        """Lay the lines out anew."""
        self.set_class(event.size.width >= _WITH_DETAILS, "-details")
        self.call_after_refresh(self._fill)

    @work(exclusive=True)
    async def look_around(self) -> None:
        """Find what is here, in a thread, and show it."""
        self._found = await asyncio.to_thread(self._find)
        self._fill()

    def on_choice_list_moved(self) -> None:
        """Another entry."""
        self._show_entry()

    def on_choice_list_chosen(self) -> None:
        """The enter key, or a second click."""
        if (entry := self.entry) is not None and view.enter_does(entry)[0]:
            self.post_message(self.Wanted(entry, edit=False))

    def action_new(self) -> None:
        """An empty form."""
        self.post_message(self.Wanted(view.NewRun(), edit=True))

    def action_edit(self) -> None:
        """The form, filled in from the entry."""
        if (entry := self.entry) is not None and view.editable(entry):
            self.post_message(self.Wanted(entry, edit=True))

    def action_quit(self) -> None:
        """Leave without doing anything."""
        self.app.exit(None)

    def on_click(self, event: events.Click) -> None:
        """A click on the key line does what the key does."""
        acts = {"enter": self.on_choice_list_chosen, "n": self.action_new, "e": self.action_edit, "q": self.action_quit}
        if event.widget is self._keys:
            act = acts.get(key_at(view.key_line(self.entry, self.size.width), event.x))
            if act is not None:
                act()

    def _fill(self) -> None:
        width = self._list.size.width
        if not width:
            return
        before = _identity(self.entry)
        self._rows = view.rows(self._found, width, self._clock())
        places = [i for i, row in enumerate(self._rows) if row.entry is not None]
        identities = [_identity(self._rows[i].entry) for i in places]
        cursor = identities.index(before) if before in identities else 0
        self._list.set_rows([row.line for row in self._rows], places, cursor)
        self._header.show([view.header(_short(Path.cwd()), __version__, self.size.width), ()])
        self._show_entry()

    def _show_entry(self) -> None:
        entry, width = self.entry, self.size.width
        if self._details.size.width:
            self._details.show(view.details(entry, self._details.size.width - _DETAILS_GAP, self._clock()))
        able, text = view.enter_does(entry)
        self._advice.show([fit(((" ▸ " if able else " ! ", "warn"), (text, "" if able else "error")), width)])
        self._keys.show([view.key_line(entry, width)])


def _identity(entry: view.Entry | None) -> tuple[str, str]:
    return (type(entry).__name__, "" if entry is None or isinstance(entry, view.NewRun) else str(entry.path))


def _short(path: Path) -> Path:
    """With ~ for the home directory."""
    own = home()
    return Path("~") / path.relative_to(own) if own and path.is_relative_to(own) else path
