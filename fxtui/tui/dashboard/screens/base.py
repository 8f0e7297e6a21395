"""What every screen has: the header, its own body, the advice and the keys that work on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Container

from fxtui.advice.rules import advise, held_advice
from fxtui.run.catalogue import RunEntry
from fxtui.run.session.session import Standing
from fxtui.run.state import RunState
from fxtui.text.lines import Line, fit
from fxtui.tui.dashboard.actions import TABS, actions_on, key_hints
from fxtui.tui.dashboard.layout import Layout, put
from fxtui.tui.dashboard.surroundings import Surroundings
from fxtui.tui.views.footer import KeyHint, advice_line, fits, key_at, key_line
from fxtui.tui.views.header import Tabs, screen_at
from fxtui.tui.widgets.line_screen import LineScreen
from fxtui.tui.widgets.line_view import LineView
from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.panels.overview import HeaderPanel

SMALLEST = (40, 10)
_HEADER_WIDE, _HEADER_NARROW, _HEADER_LEAST = 4, 3, 2
_WIDE = 100


class RunScreen(LineScreen[None]):
    """Shows a run's state. What the user wants goes to the application: as an action by name, or as a message.

    A screen has the panels that `panels` returns, where `panel_layout` puts them. It is told of a new state only while
    it is on top; so nothing hidden is computed.
    """

    NAME: ClassVar[str]
    # Keys that are no actions, e.g. arrows, for the key line.
    HINTS: ClassVar[tuple[KeyHint, ...]] = ()
    # Whether it shows what changes without the run, so that it is drawn after the run's end, too.
    LIVE: ClassVar[bool] = False

    def __init__(self, state: RunState, surroundings: Surroundings) -> None:
        super().__init__()
        self.state = state
        self.surroundings = surroundings
        self.profile = profile = surroundings.profile
        self._now: float | None = None
        self._header = HeaderPanel(
            Tabs(TABS, self.NAME), surroundings.machine, id="header", ascii_only=profile.ascii_only
        )
        self._advice = LineView(id="advice", ascii_only=profile.ascii_only)
        self._keys = LineView(id="keys", ascii_only=profile.ascii_only)
        self._too_small = LineView(id="too-small", ascii_only=profile.ascii_only)
        self._key_line: Line = ()
        self.pending: Mapping[str, bool] = {}
        self.standing = Standing()
        self._room = (0, 0)
        self._built: tuple[Panel, ...] = ()

    def panels(self) -> tuple[Panel, ...]:
        """The panels of this screen, made anew; called once."""
        return ()

    def panel_layout(self, width: int, height: int) -> Layout:  # noqa: ARG002  # a screen of one panel needs no more
        """Where the panels stand in a body of this size; those left out are hidden."""
        return {}

    def compose(self) -> ComposeResult:
        """The frame, and the screen's own panels in it."""
        self._built = self.panels()
        yield self._header
        with Container(id="body"):
            yield from self._built
        yield self._advice
        yield self._keys
        yield self._too_small

    def on_mount(self) -> None:
        """Let the keys of the first panel that takes them work at once."""
        focusable = next((panel for panel in self._built if panel.can_focus), None)
        if focusable is not None:
            focusable.focus()

    def on_resize(self, event: events.Resize) -> None:
        """Place everything for the new size."""
        width, height = event.size
        small = width < SMALLEST[0] or height < SMALLEST[1]
        self.set_class(small, "-tiny")
        if small:
            text = f" {width}x{height}: fxtui needs {SMALLEST[0]}x{SMALLEST[1]}"
            self._too_small.show([fit(((text, "warn"),), width)])
            return
        low = height < 16
        header = _HEADER_LEAST if low else _HEADER_WIDE if width >= _WIDE else _HEADER_NARROW
        self._header.styles.height = header
        self.set_class(low and height < 13, "-no-advice")
        self._room = (width - 2, height - header - (1 if low and height < 13 else 2))
        self.place_panels()

    def place_panels(self) -> None:
        """Put the panels where they belong now."""
        put(self._built, self.panel_layout(*self._room))
        self.call_after_refresh(self.refresh_state)

    def show_state(self, state: RunState, now: float | None) -> None:
        """Show a state; ``now`` in seconds since the epoch, None: as it was last."""
        self.state = state
        self._now = self._now if now is None else now
        width = self.size.width
        self._header.now = self._now or 0.0
        self._header.trouble, self._header.read_only = self.standing.trouble, self.standing.read_only
        self._header.update(state)
        for panel in self._built:
            panel.update(state)
        self.show_body(state)
        self._advice.show([self._advice_line(state, width)])
        self._key_line = key_line(*key_hints(self.NAME, state, self.HINTS), width)
        self._keys.show([self._key_line])

    def _advice_line(self, state: RunState, width: int) -> Line:
        if own := self.advice(state):
            return advice_line(*own, width)
        # Of several ways to say it the longest that fits; the shortest is cut.
        held = held_advice(state)
        advice = next((some for some in held if fits(some.text, some.key, width)), held[-1]) if held else advise(state)
        return advice_line(advice.text, advice.key, width) if advice else advice_line("", "", width)

    def refresh_state(self) -> None:
        """Show the present state again, e.g. after a key changed what is shown of it."""
        if self.is_mounted:
            self.show_state(self.state, None)

    def show_pending(self, layers: Mapping[str, bool]) -> None:
        """Take in which layers were asked to train or be frozen, and have not been answered for."""
        self.pending = layers

    def show_body(self, state: RunState) -> None:
        """What a screen shows beside its panels."""

    def pick_pair(self, pair: tuple[int, int]) -> None:
        """Show the images of a pair of classes, true and predicted, where a screen shows images."""

    def overlay(self, runs: tuple[RunEntry, ...]) -> None:
        """Draw the curves of other runs, too, where a screen has curves."""

    def advice(self, state: RunState) -> tuple[str, str] | None:  # noqa: ARG002  # a screen may have none of its own
        """This screen's own advice and its key; None: that on the run."""
        return None

    async def on_click(self, event: events.Click) -> None:
        """A click on a screen's name opens it; one on the key line does what the key does."""
        if event.widget is self._header and event.y == 0:
            if (name := screen_at(TABS, self.size.width, event.x)) is not None:
                await self.app.run_action(f"open('{name}')", default_namespace=self.app)
        elif event.widget is self._keys:
            key = key_at(self._key_line, event.x)
            if key == "^p":
                await self.app.run_action("command_palette", default_namespace=self.app)
            for action in actions_on(self.NAME):
                if action.shown == key:
                    await self.app.run_action(f"act('{action.id}')", default_namespace=self.app)
