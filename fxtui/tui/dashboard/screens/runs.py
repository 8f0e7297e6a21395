"""The runs screen: every run, some of them side by side, and what was done in each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType

from fxtui.config import ConfigError
from fxtui.run.catalogue import Catalogue, RunEntry, entry_of, size_of
from fxtui.run.removal import remove_run
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory, RunLockedError
from fxtui.text import numbers as formats
from fxtui.tui.dashboard.actions import bindings_on
from fxtui.tui.dashboard.layout import Layout, stack
from fxtui.tui.dashboard.messages import Notice, OverlayChosen
from fxtui.tui.dashboard.owners import ActsOnRuns
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.dashboard.screens.dialogs import ConfirmDialog
from fxtui.tui.dashboard.surroundings import Surroundings
from fxtui.tui.views.footer import KeyHint
from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.panels.runs import ComparePanel, HistoryPanel, OverlayPlot, RunTable

_GAP = 3
_WIDE = 98
_READ_SECONDS = 5.0
# What stands below the table, one at a time where it is narrow.
_BELOW = ("compare", "overlay", "history")


class RunsScreen(RunScreen, ActsOnRuns):
    """Reads the other runs in a thread while it is shown; this one is taken from its state."""

    NAME = "runs"
    HINTS = (KeyHint("↑↓", "run"),)
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_on("runs")]

    def __init__(
        self, state: RunState, surroundings: Surroundings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(state, surroundings)
        self._run = surroundings.run
        self._clock = clock
        self._catalogue = Catalogue(self._run.path.parent)
        self._others: list[RunEntry] = []
        self._read_at = float("-inf")
        # The catalogue is not for two threads at once, and a thread cannot be cancelled.
        self._reading = asyncio.Lock()
        self._fault = ""
        self._below = _BELOW[0]

    def panels(self) -> tuple[Panel, ...]:
        """The table first, so that its keys work at once."""
        plain = self.profile.ascii_only
        self._table = RunTable(id="runs", ascii_only=plain)
        self._plot = OverlayPlot(id="overlay", ascii_only=plain)
        self._compare = ComparePanel(id="compare", ascii_only=plain)
        self._history = HistoryPanel(id="history", ascii_only=plain)
        return self._table, self._plot, self._compare, self._history

    def panel_layout(self, width: int, height: int) -> Layout:
        """The table above; differences, plot and deeds below it, one of them where it is narrow."""
        top = max(5, height * 2 // 5)
        below = height - top - 1
        if width < _WIDE:
            return stack(0, width, height, (("runs", top, 0), (self._below, max(3, height - top), 0)))
        half = (width - _GAP) // 2
        return {
            **stack(0, width, top, (("runs", top, 0),)),
            **stack(0, half, below, (("overlay", below, 0),), top + 1),
            **stack(half + _GAP, width - half - _GAP, below, (("compare", 9, 2), ("history", 4, 1)), top + 1),
        }

    def show_state(self, state: RunState, now: float | None) -> None:
        """Give the panels the runs before they are drawn."""
        own = entry_of(state, self._run, running=not state.ended)
        self._table.set_entries([own, *(run for run in self._others if run.path != self._run.path)])
        self._compare.runs = self._plot.runs = self._table.marked
        self._history.run = self._table.selected
        super().show_state(state, now)

    def show_body(self, state: RunState) -> None:  # noqa: ARG002  # a screen's signature
        """Read the other runs now and then."""
        now = self._clock()
        if now - self._read_at >= _READ_SECONDS and not self._reading.locked():
            self._read_at = now
            self.run_worker(self._read(), group="read", exit_on_error=False)

    async def _read(self) -> None:
        async with self._reading:
            try:
                self._others = await asyncio.to_thread(self._catalogue.entries)
                fault = ""
            except OSError as error:
                fault = f"{error.filename or self._run.path.parent}: cannot be read: {error.strerror}"
        # Said once, not every few seconds.
        if fault and fault != self._fault:
            self.post_message(Notice(fault, "warning"))
        self._fault = fault
        self.refresh_state()

    def on_run_table_moved(self, _message: RunTable.Moved) -> None:
        """Tell of the run under the cursor."""
        self.refresh_state()

    def do_mark_run(self) -> None:
        """Mark the run under the cursor, to compare it."""
        if reason := self._table.mark():
            self.post_message(Notice(reason, "warning"))
        self.refresh_state()

    def do_sort_runs(self) -> None:
        """The next order."""
        self._table.next_order()
        self.refresh_state()

    def do_below_runs(self) -> None:
        """The next of what there is below the table."""
        if all(panel.display for panel in (self._compare, self._plot, self._history)):
            self.post_message(Notice("what differs, the curves and what was done are in sight already"))
            return
        self._below = _BELOW[(_BELOW.index(self._below) + 1) % len(_BELOW)]
        self.place_panels()

    def do_overlay_runs(self) -> None:
        """Draw the marked runs' curves on the main screen, too."""
        runs = tuple(run for run in self._table.marked if run.path != self._run.path)
        self.post_message(OverlayChosen(runs))
        names = ", ".join(run.short_name for run in runs)
        self.post_message(Notice(f"on the main screen: {names}" if names else "no other runs on the main screen"))

    def do_remove_run(self) -> None:
        """Ask, then remove the run under the cursor."""
        run = self._table.selected
        if run is None:
            return
        if run.is_open or run.path == self._run.path:
            self.post_message(Notice(f"{run.short_name}: is open or running, so it stays", "warning"))
            return
        self.run_worker(self._ask_to_remove(run), group="ask", exclusive=True, exit_on_error=False)

    async def _ask_to_remove(self, run: RunEntry) -> None:
        size = await asyncio.to_thread(size_of, run.path)
        if not self.is_current:
            return

        def removed(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._remove(run), group="remove", exit_on_error=False)

        question = f"Remove {run.name}?"
        self.app.push_screen(ConfirmDialog(question, f"its {formats.size(size)} cannot be had back", "remove"), removed)

    async def _remove(self, run: RunEntry) -> None:
        try:
            await asyncio.to_thread(remove_run, RunDirectory(run.path))
        except (RunLockedError, ConfigError) as error:
            self.post_message(Notice(f"{error}, so it stays", "warning"))
            return
        except OSError as error:
            self.post_message(Notice(f"{run.path}: cannot be removed: {error}", "error"))
            return
        self.post_message(Notice(f"{run.short_name} is removed"))
        await self._read()
