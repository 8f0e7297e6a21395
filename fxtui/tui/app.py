"""The dashboard: drains a session's events at its own pace, shows the state, and sends commands."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from fxtui.run import commands as cmd
from fxtui.run.events import CommandDone, CommandRefused, Event, RunFinished
from fxtui.run.session import Session
from fxtui.run.state import RunState
from fxtui.tui.actions import ACTIONS
from fxtui.tui.frugal import FrugalApp
from fxtui.tui.glyphs import to_ascii
from fxtui.tui.look import Look
from fxtui.tui.screens.dialogs import Answer, HelpDialog, LearningRateDialog, QuitDialog
from fxtui.tui.screens.main import MainScreen
from fxtui.tui.theme import DARK, LIGHT, SIXTEEN, role_variables
from fxtui.tui.widgets.layer_tree import LayerTree


class DashboardApp(FrugalApp[int]):
    """Watches and steers one session. ``run()`` returns the exit status of what the user saw end, 0 before that.

    ``past`` is the run's state so far, where it goes on from a checkpoint. ``on_ready`` is called once, after the first
    paint; ``clock`` gives seconds since the epoch.
    """

    TITLE = "fxtui"
    CSS_PATH = "fxtui.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "act('quit_or_ask')", show=False, priority=True)]

    def __init__(
        self,
        session: Session,
        past: RunState | None = None,
        *,
        theme: str | None = None,
        look: Look | None = None,
        on_ready: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(look or Look(), session.run.path)
        for known in (DARK, LIGHT, SIXTEEN):
            self.register_theme(known)
        self.theme = theme or (SIXTEEN.name if self.few_colors else DARK.name)
        self._session = session
        self._ascii = self.look.ascii_only
        self._on_ready = on_ready
        self._clock = clock
        self._leaving = False
        self._shown_at = 0.0
        self.state = past or RunState(name=session.run.name)
        self._main = MainScreen(self.state, self._ascii)

    def on_mount(self) -> None:
        """Open the main screen; the engine is started only once it stands."""
        self.push_screen(self._main)
        self.start_frames()
        # Textual knows no SIGHUP or SIGTERM: without these the terminal would stay as the dashboard left it.
        # Handlers can be set in the main thread only; elsewhere, as in a test, there is no terminal to restore.
        for number in (signal.SIGHUP, signal.SIGTERM):
            with contextlib.suppress(ValueError, NotImplementedError, RuntimeError):
                asyncio.get_running_loop().add_signal_handler(number, self.exit, 0)
        self.call_after_refresh(self._painted)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our colour roles, for Textual's own themes, which do not know them."""
        return role_variables(self.current_theme)

    def frame(self) -> bool:
        """Take in what the engine has said since the last time, and show it if it changes anything."""
        self.drain()
        return not self.state.ended and self.state.phase != "paused"

    def drain(self) -> None:
        """Take in what the engine has said since the last time, and show it."""
        events = self._session.events()
        for event in events:
            self.state.apply(event)
            self._announce(event)
        if not self._main.is_mounted:
            return
        now = self.frame_clock.reading(self._clock(), self.state.started)
        if events or (now != self._shown_at and not self.state.ended):
            self._shown_at = now
            self._main.show_state(self.state, now)

    def action_act(self, name: str) -> None:
        """Do an action of the registry, or say why it cannot be done now."""
        action = next(action for action in ACTIONS if action.id == name)
        if reason := action.refuse(self.state):
            self._say(f"{action.shown}: {reason}", "warning")
            return
        getattr(self, f"_do_{name}")()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002  # Textual's signature
        """The palette: every action, and the theme."""
        for action in ACTIONS:
            yield SystemCommand(action.text, action.shown, partial(self.action_act, action.id))
        yield SystemCommand("switch between dark and light", "theme", self._flip_theme)

    def _painted(self) -> None:
        if self._on_ready is not None:
            self._on_ready()
            self._on_ready = None

    def _announce(self, event: Event) -> None:
        match event:
            case CommandDone():
                # A price takes longer to read than what was done takes to notice.
                self._say(event.text, "information", timeout=12 if event.command == "estimate" else 4)
            case CommandRefused():
                self._say(event.reason, "warning")
            case RunFinished():
                if self._leaving or event.exit_status == 2:
                    self.exit(event.exit_status)

    def _say(self, text: str, severity: str, timeout: float = 4) -> None:
        shown = to_ascii(text) if self._ascii else text
        self.notify(shown, severity=severity, timeout=timeout, markup=False)  # type: ignore[arg-type]

    def _flip_theme(self) -> None:
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def _do_toggle(self) -> None:
        if (change := self._toggle()) is not None:
            self._session.send(change)

    def _do_what_if(self) -> None:
        if (change := self._toggle()) is not None:
            self._session.send(cmd.Estimate(change=change))

    def _toggle(self) -> cmd.SetTrainable | None:
        row = self._main.query_one(LayerTree).selected
        return None if row is None else cmd.SetTrainable(paths=(row.path,), value=row.trainable != "all")

    def on_layer_tree_toggle_wanted(self, _message: LayerTree.ToggleWanted) -> None:
        """A click on a layer's mark."""
        self.action_act("toggle")

    def _do_unfreeze_next(self) -> None:
        self._session.send(cmd.UnfreezeNext())

    def _do_freeze_all(self) -> None:
        self._session.send(cmd.FreezeAll())

    def _do_undo(self) -> None:
        self._session.send(cmd.Undo())

    def _do_pause(self) -> None:
        self._session.send(cmd.Resume() if self.state.phase == "paused" else cmd.Pause())

    def _do_stop(self) -> None:
        self._session.send(cmd.Stop())

    def _do_more_epochs(self) -> None:
        self._session.send(cmd.SetEpochs(epochs=self.state.epochs_planned + 1))

    def _do_fewer_epochs(self) -> None:
        self._session.send(cmd.SetEpochs(epochs=self.state.epochs_planned - 1))

    def _do_checkpoint(self) -> None:
        self._session.send(cmd.Checkpoint())

    def _do_log_scale(self) -> None:
        self._main.flip_log_scale()

    def _do_learning_rate(self) -> None:
        def take(rate: float | None) -> None:
            if rate is not None:
                self._session.send(cmd.SetLr(lr=rate))

        head = next((row for row in self.state.layers if row.is_head), None)
        self.push_screen(LearningRateDialog(head.lr if head else None), take)

    def _do_help(self) -> None:
        self.push_screen(HelpDialog())

    def _do_quit_or_ask(self) -> None:
        finished = self.state.finished
        if finished is not None or not self._session.alive:
            self.exit(finished.exit_status if finished else 0)
        elif not isinstance(self.screen, QuitDialog):
            self.push_screen(QuitDialog(), self._answered)

    def _answered(self, answer: Answer | None) -> None:
        if answer != "stop":
            return
        if self.state.finished is not None:
            self.exit(self.state.finished.exit_status)
            return
        self._leaving = True
        self._session.send(cmd.Stop(when="now"))
        self._say("stopping between two batches, then saving", "information")
