"""The main screen: how it is going, the curves, the epochs, the layers."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen

from fxtui.advice.rules import advise
from fxtui.run.state import RunState
from fxtui.tui import views
from fxtui.tui.actions import ACTIONS
from fxtui.tui.lines import Line, Piece, fit, spread, width_of
from fxtui.tui.screens.plot_keys import PlotKeys
from fxtui.tui.widgets.layer_tree import LayerTree
from fxtui.tui.widgets.line_view import LineView
from fxtui.tui.widgets.panels import EpochPanel, HeaderPanel, LogPanel, Panel
from fxtui.tui.widgets.plot_panel import PlotPanel

_WIDE = 100
_SMALLEST = (40, 12)


class MainScreen(PlotKeys, Screen[None]):
    """Shows a run's state and posts what the user wants to the application, as actions by name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(action.key, f"app.act('{action.id}')", action.text, show=False) for action in ACTIONS),
        Binding("ctrl+c", "app.act('quit_or_ask')", show=False),
    ]

    def __init__(self, state: RunState, ascii_only: bool) -> None:
        super().__init__()
        self._state = state
        self._ascii = ascii_only
        self._header = HeaderPanel(id="header", ascii_only=ascii_only)
        self._advice = LineView(id="advice", ascii_only=ascii_only)
        self._key_line = LineView(id="keys", ascii_only=ascii_only)
        self._places: list[tuple[int, int, str]] = []

    def compose(self) -> ComposeResult:
        """All panels; the style sheet places them by the size of the terminal."""
        plain = self._ascii
        yield self._header
        with Container(id="body"):
            yield PlotPanel("loss", id="loss", ascii_only=plain)
            yield PlotPanel("accuracy", id="accuracy", ascii_only=plain)
            yield LayerTree(id="layers", ascii_only=plain)
            yield EpochPanel(id="epochs", ascii_only=plain)
            yield LogPanel(id="log", ascii_only=plain)
        yield self._advice
        yield self._key_line
        yield LineView(id="too-small", ascii_only=plain)

    def on_mount(self) -> None:
        """The layer tree has the focus, so that its keys work at once."""
        self.query_one(LayerTree).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Place the panels for the new size."""
        width, height = event.size
        body = self.query_one("#body")
        layers, accuracy = self.query_one("#layers"), self.query_one("#accuracy")
        children = list(body.children)
        wide = width >= _WIDE
        # In the grid of a wide screen the layers stand beside the loss; in that of a narrow one below both plots.
        if wide and children.index(layers) > children.index(accuracy):
            body.move_child(layers, before=accuracy)
        elif not wide and children.index(layers) < children.index(accuracy):
            body.move_child(layers, after=accuracy)
        self.set_class(wide, "-wide")
        self.set_class(height < 20, "-low")
        small = width < _SMALLEST[0] or height < _SMALLEST[1]
        self.set_class(small, "-tiny")
        if small:
            text = f" {width}x{height}: fxtui needs {_SMALLEST[0]}x{_SMALLEST[1]}"
            self.query_one("#too-small", LineView).show([fit(((text, "warn"),), width)])
        self.call_after_refresh(self.show_state, self._state, None)

    def show_state(self, state: RunState, now: float | None) -> None:
        """Show a state; ``now`` in seconds since the epoch, None: as it was last."""
        self._header.now = self._header.now if now is None else now
        for panel in self.query(Panel):
            panel.update(state)
        width = self.size.width
        advice = advise(state)
        text, key = (advice.text, advice.key) if advice else ("", "")
        self._advice.show([views.advice_line(text, key, width)])
        self._key_line.show([self._keys(state, width)])

    def flip_log_scale(self) -> None:
        """Switch the loss axis between linear and logarithmic."""
        self.do_log_scale()

    async def on_click(self, event: events.Click) -> None:
        """A click on the key line does what the key does."""
        if event.widget is not None and event.widget.id == "keys":
            for start, end, name in self._places:
                if start <= event.x < end:
                    await self.app.run_action(f"act('{name}')", default_namespace=self.app)

    def _keys(self, state: RunState, width: int) -> Line:
        def pieces(names: tuple[str, ...]) -> list[Piece]:
            found: list[Piece] = []
            for action in ACTIONS:
                if action.in_line and (action.id in ("help", "quit_or_ask")) == (names == ("end",)):
                    able = not action.refuse(state)
                    short = "go on" if action.id == "pause" and state.phase == "paused" else action.short
                    found += [(f" {action.shown}", "key" if able else "muted"), (f" {short} ", "" if able else "muted")]
            return found

        start, end = pieces(("start",)), pieces(("end",))
        while start and width_of((*start, *end)) >= width:
            del start[-2:]
        line = spread(tuple(start), tuple(end), width)
        self._places = _places(line)
        return line


def _places(line: Line) -> list[tuple[int, int, str]]:
    """Where each action stands in the key line: from, to, its name."""
    by_key = {action.shown: action.id for action in ACTIONS}
    places: list[tuple[int, int, str]] = []
    at = 0
    for text, _ in line:
        if (name := by_key.get(text.strip())) is not None:
            places.append((at, at + len(text) + 8, name))
        at += len(text)
    return [(a, min(b, places[i + 1][0] if i + 1 < len(places) else b), n) for i, (a, b, n) in enumerate(places)]
