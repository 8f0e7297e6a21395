"""The form for a new run: fields, what each means here, and what the run will be like."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from fxtui.config import ConfigError, RunConfig
from fxtui.run.config_files import free_path, write_config
from fxtui.run.preview import Preview, PreviewFailedError, figures_of
from fxtui.text.lines import fit, title
from fxtui.tui.launcher import form_view as view
from fxtui.tui.launcher.form_fields import BY_KEY, FIELDS, key_named, read_fields, text_of
from fxtui.tui.views.footer import key_at
from fxtui.tui.widgets.field import TextField
from fxtui.tui.widgets.line_screen import LineScreen
from fxtui.tui.widgets.line_view import LineView

_WITH_PANEL = 110
_START = "start"


@dataclass(frozen=True)
class FormHelp:
    """What the form asks of the engine, in threads.

    ``preview`` raises ConfigError where a run would be refused, PreviewFailedError where nothing can be said.
    ``backbones`` names those known; ``debounce`` is how long nothing must be typed before a preview, in seconds.
    """

    preview: Callable[[RunConfig], Preview]
    backbones: Callable[[], Sequence[str]]
    debounce: float = 0.3


class StartLine(LineView, can_focus=True):
    """The last stop of the tab key: the enter key starts the run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "start", show=False, id="start-line.start"),
        Binding("up", "step(-1)", show=False, id="start-line.up"),
    ]

    class Started(Message):
        """The run is to start."""

    def action_start(self) -> None:
        """What the enter key does."""
        self.post_message(self.Started())

    def action_step(self, by: int) -> None:
        """To the field before."""
        self.post_message(TextField.StepWanted(by))

    def on_click(self) -> None:
        """A click starts, too."""
        self.action_start()

    def on_focus(self) -> None:
        """Show where the cursor is."""
        self.draw()

    def on_blur(self) -> None:
        """Show that the cursor is elsewhere."""
        self.draw()

    def draw(self) -> None:
        """The button, marked while it has the focus."""
        role = "selected" if self.has_focus else "strong"
        self.show([((" ▸ Start ", role), ("  f5", "key"), ("  writes the file and trains", "muted"))])


class LeaveDialog(ModalScreen[bool]):
    """Asked before what was typed is thrown away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", show=False, id="leave.yes"),
        Binding("escape,n", "answer(False)", show=False, id="leave.no"),
    ]

    def compose(self) -> ComposeResult:
        """The question and its answers."""
        with Vertical(classes="dialog"):
            yield Static("Throw away what you typed?", classes="heading")
            yield Static("[b $primary]y[/]    back to the list", id="answer-leave")
            yield Static("[b $primary]esc[/]  stay")

    def action_answer(self, leave: bool) -> None:
        """Close with the answer."""
        self.dismiss(leave)

    def on_click(self, event: events.Click) -> None:
        """The answers can be clicked."""
        if isinstance(event.widget, Static) and "heading" not in event.widget.classes:
            self.dismiss(event.widget.id == "answer-leave")


class FormScreen(LineScreen[Path | None]):
    """Closes with the path of the file it wrote, or None.

    ``base`` fills the fields in, and ``origin`` says where it comes from; ``sources`` are folders to offer; the file is
    written into ``folder``.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "start", show=False, priority=True, id="form.start"),
        Binding("escape,ctrl+c", "leave", show=False, id="form.leave"),
        Binding("pageup", "page(-1)", show=False, id="form.page-up"),
        Binding("pagedown", "page(1)", show=False, id="form.page-down"),
    ]

    def __init__(
        self,
        base: RunConfig,
        origin: str,
        help: FormHelp,
        *,
        sources: Sequence[str] = (),
        folder: Path = Path(),
        ascii_only: bool = False,
    ) -> None:
        super().__init__()
        self._base, self._origin, self._help, self._folder = base, origin, help, folder
        self._ascii = ascii_only
        self._sources, self._names = tuple(sources), tuple[str, ...]()
        self._config: RunConfig | None = base
        self._faults: dict[str, str] = {}
        # What the preview says, of which configuration, and the last one that there was, for the lists.
        self._preview: Preview | None = None
        self._last: Preview | None = None
        self._known_of: RunConfig | None = None
        self._refusal = ""
        self._trouble = ""
        self._busy = False
        self._notice = ""
        self._fields = {
            field.key: TextField(
                field.key,
                text_of(base, field.key),
                has_list=bool(field.choices) or field.lists,
                ascii_only=ascii_only,
            )
            for field in FIELDS
        }
        self._notes = {key: self._line("note") for key in self._fields}
        self._heading = LineView(id="form-heading", ascii_only=ascii_only)
        self._start = StartLine(id="start", ascii_only=ascii_only)
        self._beside = LineView(id="beside", ascii_only=ascii_only)
        self._below = LineView(id="below", ascii_only=ascii_only)
        self._advice = LineView(id="advice", ascii_only=ascii_only)
        self._keys = LineView(id="keys", ascii_only=ascii_only)

    def compose(self) -> ComposeResult:
        """The fields by section, the start, and what the run will be like: beside them, or below."""
        yield self._heading
        with Horizontal(id="launcher-body"):
            with VerticalScroll(id="form", can_focus=False):
                section = ""
                for field in FIELDS:
                    if field.section != section:
                        section = field.section
                        yield self._told(section, "strong", "section")
                    with Horizontal(classes="row"):
                        yield self._told(f"  {field.label}", "", "label")
                        yield self._fields[field.key]
                        yield self._notes[field.key]
                yield self._start
                yield self._below
            yield self._beside
        yield self._advice
        yield self._keys

    def on_mount(self) -> None:
        """Begin in the first field."""
        self._fields["data.source"].focus_text()
        self._start.draw()
        self.learn_names()
        self._read()

    def on_resize(self, event: events.Resize) -> None:
        """Lay the lines out anew."""
        self.set_class(event.size.width >= _WITH_PANEL, "-beside")
        self.call_after_refresh(self._show)

    @work
    async def learn_names(self) -> None:
        """Find the names of backbones, in a thread."""
        self._names = tuple(await asyncio.to_thread(self._help.backbones))
        self._show()

    @work
    async def look_ahead(self) -> None:
        """Find out what the run will be like: one preview at a time, the newest configuration last."""
        while (config := self._config) is not None and figures_of(config) != self._known_of:
            await asyncio.sleep(self._help.debounce)
            if config is not self._config:
                continue
            found, refusal, trouble = None, "", ""
            try:
                found = await asyncio.to_thread(self._help.preview, config)
            except ConfigError as error:
                refusal = str(error)
            except PreviewFailedError as error:
                trouble = str(error)
            if self._config is not None and figures_of(self._config) == figures_of(config):
                self._preview, self._refusal, self._trouble = found, refusal, trouble
                self._known_of = figures_of(config)
                self._last = found or self._last
        self._busy = False
        self._show()

    def on_text_field_changed(self) -> None:
        """Read the fields, say what they mean."""
        self._notice = ""
        self._read()

    def on_text_field_opened(self) -> None:
        """Other keys work while a list is open."""
        self._show()
        if (field := self._open_field()) is not None:
            self.call_after_refresh(field.scroll_visible, animate=False)

    def on_text_field_left(self) -> None:
        """The escape key in a field."""
        self.action_leave()

    def on_text_field_step_wanted(self, message: TextField.StepWanted) -> None:
        """The arrows and the enter key go from field to field."""
        if message.by > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def on_start_line_started(self) -> None:
        """The start line."""
        self.action_start()

    def action_page(self, by: int) -> None:
        """Scroll the form."""
        form = self.query_one("#form", VerticalScroll)
        form.scroll_relative(y=by * max(1, form.size.height - 1), animate=False)

    def action_start(self) -> None:
        """Write the file and close, unless something is known to be wrong."""
        if self._config is None:
            key, fault = next(iter(self._faults.items()))
            self._fields[key].focus_text()
            self._show_notice(f"{BY_KEY[key].label}: {fault}")
        elif self._refusal and figures_of(self._config) == self._known_of:
            self._show_notice(self._refusal)
        else:
            try:
                path = write_config(self._config, self._folder)
            except ConfigError as error:
                self._show_notice(str(error))
            else:
                self.dismiss(path)

    def action_leave(self) -> None:
        """Back to the list; ask where something would be lost."""
        if all(field.text == text_of(self._base, key) for key, field in self._fields.items()):
            self.dismiss(None)
        else:
            self.app.push_screen(LeaveDialog(), self._answered)

    def on_click(self, event: events.Click) -> None:
        """A click on the key line does what the key does."""
        acts: dict[str, Callable[[], object]] = {
            "f5": self.action_start,
            "esc": self.action_leave,
            "tab": self.focus_next,
        }
        if event.widget is self._keys:
            act = acts.get(key_at(view.key_line(self.size.width, opened=False), event.x))
            if act is not None:
                act()

    def _answered(self, leave: bool | None) -> None:
        if leave:
            self.dismiss(None)

    def _show_notice(self, text: str) -> None:
        self._notice = text
        self._show()

    def _read(self) -> None:
        texts = {key: field.text for key, field in self._fields.items()}
        self._config, self._faults = read_fields(self._base, texts)
        if self._config is None or figures_of(self._config) != self._known_of:
            # What was known is of another configuration.
            self._preview, self._known_of = None, None
            self._refusal = self._trouble = ""
        if self._config is not None and self._known_of is None and not self._busy:
            self._busy = True
            self.look_ahead()
        self._show()

    def _show(self) -> None:
        width = self.size.width
        if not width or not self.is_mounted:
            return
        told = ((self._origin, "muted"),) if self._origin else ()
        self._heading.show([fit(((" ", ""), *title("New run", told, (), width - 2)), width)])
        faults = dict(self._faults)
        named = key_named(self._refusal, tuple(self._fields))
        if named is not None:
            faults.setdefault(named, self._refusal)
        for key, line in self._notes.items():
            line.show([(view.note(key, faults.get(key, ""), self._config, self._preview),)])
            self._fields[key].offer(view.choices(key, self._last, self._names, self._sources))
        self._show_panel()
        path = free_path(self._config, self._folder) if self._config is not None else None
        text = self._notice or (f"f5 writes {path} and starts it" if path else "")
        if not self._notice and faults:
            key, fault = next(iter(faults.items()))
            text = f"{BY_KEY[key].label}: {fault}"
        wrong = bool(self._notice or faults)
        self._advice.show([fit(((" ! " if wrong else " ▸ ", "warn"), (text, "error" if wrong else "")), width)])
        self._keys.show([view.key_line(width, self._open_field() is not None)])

    def _show_panel(self) -> None:
        panel = self._beside if self._beside.display else self._below
        width = panel.size.width
        if not width:
            return
        named = key_named(self._refusal, tuple(self._fields))
        trouble = self._trouble or ("" if named else self._refusal)
        lines = view.panel(self._config, self._preview, self._busy, trouble, self._folder, width)
        if panel is self._below:
            panel.styles.height = len(lines)
        panel.show(lines)

    def _open_field(self) -> TextField | None:
        return next((field for field in self._fields.values() if field.is_open), None)

    def _told(self, text: str, role: str, name: str) -> LineView:
        line = self._line(name)
        line.show([((text, role),)])
        return line

    def _line(self, name: str) -> LineView:
        line = LineView(ascii_only=self._ascii)
        line.add_class(name)
        return line
