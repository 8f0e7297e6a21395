"""A curve of the run in a panel, with a crosshair to read figures off it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fxtui.run.state import RunState
from fxtui.text.lines import Line
from fxtui.tui.plotting.figure import draw_plot
from fxtui.tui.plotting.scale import GUTTER, column_of, x_of
from fxtui.tui.plotting.spec import Limits
from fxtui.tui.views.curves import CurveSource, OverlayRun, PlotSettings, Reading, What, on_axis, x_end
from fxtui.tui.views.plots import accuracy_title, loss_title, reading_title
from fxtui.tui.widgets.panel import Panel

_SECONDS_BETWEEN_BATCHES = 0.5
_FAR = 10


class PlotPanel(Panel, can_focus=True):
    """Loss or accuracy. It is computed only when what it shows has changed, for new batches at most twice a second.

    ``clock`` gives seconds from any start. The crosshair is a place on the x axis, None: there is none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"move({by})", "move the crosshair", show=False, id=f"plot.{name}")
            for key, by, name in (
                ("left", -1, "left"),
                ("right", 1, "right"),
                ("shift+left,pageup", -_FAR, "far-left"),
                ("shift+right,pagedown", _FAR, "far-right"),
                ("home", -(10**6), "first"),
                ("end", 10**6, "last"),
            )
        ),
        Binding("escape", "remove_crosshair", "remove the crosshair", show=False, id="plot.remove-crosshair"),
    ]

    class CrosshairMoved(Message):
        """The user put the crosshair of a panel somewhere, or took it away."""

        def __init__(self, panel: PlotPanel, x: float | None) -> None:
            super().__init__()
            self.panel = panel
            self.x = x

    def __init__(self, what: What, *, id: str, ascii_only: bool, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._source = CurveSource(what)
        self._clock = clock
        self._settings = PlotSettings()
        self._overlays: tuple[OverlayRun, ...] = ()
        self._crosshair: float | None = None
        # A crosshair that only follows the mouse goes when the mouse does.
        self._pinned = False
        self._limits: Limits | None = None
        self._shown: tuple[object, ...] = ()
        self._batches: tuple[object, ...] = ()
        self._taken = 0.0

    @property
    def settings(self) -> PlotSettings:
        """How the curve is shown."""
        return self._settings

    @property
    def crosshair(self) -> float | None:
        """Where the crosshair stands on the x axis."""
        return self._crosshair

    def set_settings(self, settings: PlotSettings) -> None:
        """Show the curve in this way; the crosshair stays at its point."""
        reading = self._reading() if settings.x_axis != self._settings.x_axis else None
        if reading is not None:
            self._crosshair = on_axis(reading, settings.x_axis)
        self._settings = settings
        self._limits = None
        self.redraw()

    @property
    def overlays(self) -> tuple[OverlayRun, ...]:
        """The other runs whose curves are drawn."""
        return self._overlays

    def set_overlays(self, runs: Sequence[OverlayRun]) -> None:
        """Draw the validation curves of these runs, too; none: only its own."""
        self._overlays = tuple(runs)
        self._limits = None
        self.redraw()

    def set_crosshair(self, x: float | None) -> None:
        """Put the crosshair there without telling anyone."""
        if x != self._crosshair:
            self._crosshair = x
            self._pinned = self._pinned and x is not None
            self.redraw()

    def draw(self, state: RunState) -> None:
        """Heading and curve."""
        width, height = self.size
        epochs = state.epochs
        shown: tuple[object, ...] = (
            width, height, self.has_focus, self._settings, self._overlays, self._crosshair,
            id(state), state.epochs_planned, len(epochs), epochs[-1].seq if epochs else -1, len(state.marks),
            state.marks[-1].seq if state.marks else -1, state.data is None, state.ended, len(state.series) > 0,
        )  # fmt: skip
        series = state.series
        batches = (len(series), series.step[-1] if len(series) else 0)
        now = self._clock()
        if shown == self._shown and (
            batches == self._batches or (now - self._taken < _SECONDS_BETWEEN_BATCHES and not state.ended)
        ):
            return
        self._shown, self._batches, self._taken = shown, batches, now
        spec = self._source.spec(state, self._settings, self._overlays, self._ascii)
        drawn = draw_plot(replace(spec, cross=self._crosshair, limits=self._limits), width, max(0, height - 1))
        self._limits = drawn.limits
        self.show([self._title(state, width), *drawn.lines][:height])

    def _title(self, state: RunState, width: int) -> Line:
        what, settings, focus = self._source.what, self._settings, self.has_focus
        if (reading := self._reading()) is not None:
            return reading_title(what, reading, settings, width, focus)
        heading = loss_title if what == "loss" else accuracy_title
        return heading(state, width, settings, focus)

    def _reading(self) -> Reading | None:
        if self._crosshair is None or self.state is None:
            return None
        return self._source.reading(self.state, self._settings, self._crosshair)

    def action_move(self, by: int) -> None:
        """Move the crosshair by so many columns; the first key puts it at the last point."""
        columns = self.size.width - GUTTER
        if self.state is None or columns < 1:
            return
        end = x_end(self.state, self._settings.x_axis)
        last = self._source.reading(self.state, self._settings, end)
        if last is None:
            return
        limit = column_of(on_axis(last, self._settings.x_axis), end, columns)
        at = limit if self._crosshair is None else column_of(self._crosshair, end, columns) + by
        self._pinned = True
        self._put(x_of(max(0, min(limit, at)), end, columns))

    def action_remove_crosshair(self) -> None:
        """Take the crosshair away."""
        self._pinned = False
        self._put(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  # Textual's signature
        """Escape is left to others where there is no crosshair."""
        return action != "remove_crosshair" or self._crosshair is not None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Let the crosshair follow the mouse, unless a key or a click has put it somewhere."""
        if not self._pinned:
            self._put_at(event.x - GUTTER)

    def on_click(self, event: events.Click) -> None:
        """Put the crosshair there to stay."""
        if self._put_at(event.x - GUTTER):
            self._pinned = True

    def on_leave(self, event: events.Leave) -> None:
        """Take away a crosshair that followed the mouse."""
        if event.node is self and not self._pinned:
            self._put(None)

    def _put_at(self, column: int) -> bool:
        columns = self.size.width - GUTTER
        if self.state is None or not 0 <= column < columns:
            return False
        end = x_end(self.state, self._settings.x_axis)
        if self._source.reading(self.state, self._settings, end) is None:
            return False
        if self._crosshair is None or column_of(self._crosshair, end, columns) != column:
            self._put(x_of(column, end, columns))
        return True

    def _put(self, x: float | None) -> None:
        if x != self._crosshair:
            self._crosshair = x
            self.redraw()
            self.post_message(self.CrosshairMoved(self, x))
