"""A Textual app that is sparing with the terminal: it sends only what changed, counts it, and paces its frames."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.color import ColorSystem
from textual.app import ReturnType
from textual.binding import Binding, BindingType
from textual.events import DescendantFocus
from textual.filter import LineFilter, Monochrome, NoColor
from textual.timer import Timer
from textual.widgets import Input

from fxtui.machine.meters import Meters
from fxtui.tui.terminal.diff_renderer import DiffRenderer, RenderedDiff
from fxtui.tui.terminal.driver import counting_driver
from fxtui.tui.terminal.frame_pacing import NOTHING_TRAINS, Frame, FramePacing
from fxtui.tui.terminal.job_control import TWIN_SECONDS, JobControl
from fxtui.tui.terminal.profile import TerminalProfile
from fxtui.tui.terminal.textual_internals import ChopsUpdate, CompositorUpdate, FilteredApp, LayoutUpdate
from fxtui.tui.terminal.theme import DARK, LIGHT, SIXTEEN, role_variables
from fxtui.tui.terminal.traffic import TerminalUse, Traffic

_SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}


class TerminalApp(FilteredApp[ReturnType]):
    """Draws through a :class:`DiffRenderer`, and calls :meth:`frame` when the next frame is due.

    ``machine`` is measured while something asks it; ``directory`` is where the disk's room is looked up.
    ``theme`` None: dark, or the terminal's own colours where there are but 16.
    """

    CSS_PATH = Path(__file__).with_name("fxtui.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "suspend_process", show=False, priority=True, id="suspend")
    ]

    def __init__(self, profile: TerminalProfile, directory: Path, theme: str | None = None) -> None:
        self.traffic = Traffic()
        super().__init__(driver_class=counting_driver(self.traffic, self._screen_cleared))
        self.animation_level = "none"
        self.profile = profile
        self.no_color = profile.no_color
        self.directory = directory
        self.machine = Meters(directory)
        self.last_frame = Frame()
        self.frame_wait = 0.0
        self.frame_pacing = FramePacing(profile.low_bandwidth)
        self.color_system = None if profile.no_color else _SYSTEMS.get(self.console.color_system or "")
        self._renderer = DiffRenderer(self.color_system, profile.ascii_only)
        self._sent_before = 0
        self._frame_timer: Timer | None = None
        self._jobs: JobControl | None = None
        self._told_to_end = 0.0
        for known in (DARK, LIGHT, SIXTEEN):
            self.register_theme(known)
        self.theme = theme or (SIXTEEN.name if self.few_colors else DARK.name)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our colour roles, for Textual's own themes, which do not know them."""
        return role_variables(self.current_theme)

    def watch_signals(self) -> None:
        """Obey signals in the event loop from now on, until it ends.

        Textual knows no SIGHUP or SIGTERM: the terminal would stay as it was left. Its own ways of stopping and going
        on take it for granted that each is followed by the other, in the foreground.
        """
        # Handlers can be set in the main thread only; elsewhere, as in a test, there is no terminal to restore.
        driver = self.terminal_driver
        if threading.current_thread() is not threading.main_thread() or driver is None:
            return
        self._jobs = JobControl(driver, self._draw_anew)
        handlers: dict[int, Callable[[], None]] = {
            signal.SIGHUP: self.hang_up,
            signal.SIGTERM: self._terminated,
            signal.SIGINT: self._terminated,
            signal.SIGTSTP: self._jobs.stop,
            signal.SIGCONT: self._jobs.go_on,
        }
        for number, handler in handlers.items():
            asyncio.get_running_loop().add_signal_handler(number, handler)

    def hang_up(self) -> None:
        """The terminal is gone."""
        self.exit()

    def terminate(self) -> None:
        """The process is told to end."""
        self.exit()

    def terminate_at_once(self) -> None:
        """It is told so a second time."""
        self.exit()

    def _draw_anew(self) -> None:
        self.refresh(layout=True)

    def _terminated(self) -> None:
        now = time.monotonic()
        first, self._told_to_end = self._told_to_end == 0, self._told_to_end or now
        # A terminal tells every process of its job, and each tells those that it waits for.
        if first or now - self._told_to_end > TWIN_SECONDS:
            self.terminate() if first else self.terminate_at_once()

    def action_suspend_process(self) -> None:
        """Stop, as a shell's job does for ctrl+z."""
        if self._jobs is None or not self._jobs.ask_to_stop():
            self.notify("no shell to come back from: ctrl+z does nothing here", severity="warning")

    @property
    def few_colors(self) -> bool:
        """Whether the terminal has its own 16 colours and no others."""
        return self.color_system is ColorSystem.STANDARD

    @property
    def colors_told(self) -> str:
        """What colours are used, in words."""
        names = {ColorSystem.STANDARD: "16 colours", ColorSystem.EIGHT_BIT: "256 colours"}
        return "no colours" if self.color_system is None else names.get(self.color_system, "full colour")

    def terminal_use(self) -> TerminalUse:
        """What is sent, and how often."""
        traffic = self.traffic
        return TerminalUse(traffic.per_second, traffic.total, traffic.latency, self.frame_wait, self.last_frame.cost)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Without those that make grey of colours: where no colour is wanted, the renderer sends none."""
        if self.profile.no_color:
            return ()
        return [it for it in super().get_line_filters() if not isinstance(it, Monochrome | NoColor)]

    def start_frames(self) -> None:
        """Draw from now on. Without a terminal nobody watches the machine, and it is not measured."""
        if self.is_headless:
            self.machine.close()
        self._next_frame()

    def frame(self) -> float:
        """Draw a frame; returns the share of the time that drawing may take."""
        return NOTHING_TRAINS

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Text fields do not blink: at rest nothing is sent."""
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def on_unmount(self) -> None:
        """Let the meters rest."""
        self.machine.close()

    def _next_frame(self) -> None:
        # While the app closes, its screens are gone before its timers.
        if not self.screen_stack:
            return
        if self._jobs is not None:
            self._jobs.look()
        # Processor time of this thread: what drawing takes from training. The clock on the wall would add the time in
        # which the trainer held the interpreter, and drawing would slow down the more, the less it costs.
        start = time.thread_time()
        # What the frame before sent: that of this one is written by another thread, later.
        sent, self._sent_before = self.traffic.total - self._sent_before, self.traffic.total
        share = self.frame()
        self._set_next_frame(Frame(self.last_frame.cost, sent, self.traffic.latency or 0.0), share)
        # Painting follows in the screen's own time, or, where the screen changes, not at all.
        self.call_after_refresh(self._frame_painted, start, share)

    def _frame_painted(self, start: float, share: float) -> None:
        """Let the time to the next frame pay for what this one took itself."""
        cost = time.thread_time() - start
        self._set_next_frame(Frame(cost, self.last_frame.sent, self.last_frame.latency), share)

    def _set_next_frame(self, frame: Frame, share: float) -> None:
        self.last_frame = frame
        self.frame_wait = self.frame_pacing.wait(frame, share)
        if self._frame_timer is not None:
            self._frame_timer.stop()
        self._frame_timer = self.set_timer(self.frame_wait, self._next_frame)

    def _screen_cleared(self) -> None:
        self._renderer.forget()

    def filter_update(self, update: CompositorUpdate) -> CompositorUpdate | None:
        """Send the cells that differ; after what else Textual draws, it is unknown what the terminal shows."""
        if isinstance(update, ChopsUpdate | LayoutUpdate):
            text = self._renderer.paint(update)
            return RenderedDiff(text) if text else None
        self._renderer.forget()
        return update
