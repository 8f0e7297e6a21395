"""The dashboard: drains a session's events at its own pace, shows the state, and sends commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.events import Paste
from textual.screen import Screen

from fxtui.protocol import commands as cmd
from fxtui.protocol.events import CommandDone, CommandRefused, Event, RunFinished
from fxtui.run.catalogue import RunEntry
from fxtui.run.session.session import Session
from fxtui.run.state import RunState
from fxtui.text.glyphs import to_ascii
from fxtui.tui.dashboard.actions import SCREENS, ByApp, ByScreen, Sends, actions_on, find_action
from fxtui.tui.dashboard.messages import CommandWanted, ImagesWanted, Notice, OverlayChosen, Severity
from fxtui.tui.dashboard.owners import ActsOnApp
from fxtui.tui.dashboard.pending_commands import PendingCommands
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.dashboard.screens.dialogs import Answer, HelpDialog, LearningRateDialog, QuitDialog
from fxtui.tui.dashboard.screens.opening import open_screen
from fxtui.tui.dashboard.surroundings import Surroundings
from fxtui.tui.terminal.base_app import TerminalApp
from fxtui.tui.terminal.frame_pacing import EVERY_CORE_BUSY, NOTHING_TRAINS, ONLY_HEAD_TRAINS
from fxtui.tui.terminal.profile import TerminalProfile
from fxtui.tui.terminal.textual_internals import TolerantPalette, mark_as_styled
from fxtui.tui.terminal.theme import DARK, LIGHT

_LISTENING_SECONDS = 0.05
EXIT_INTERRUPTED = 130
_PASTE_SHOWN = 24


class DashboardApp(TerminalApp[int], ActsOnApp):
    """Watches and steers one session. ``run()`` returns the exit status of what the user saw end, 0 before that.

    ``past`` is the run's state so far, where it goes on from a checkpoint. ``on_ready`` is called once, after the first
    paint; ``clock`` gives seconds since the epoch.
    """

    TITLE = "fxtui"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "act('quit_or_ask')", show=False, priority=True, id="quit")
    ]

    def __init__(
        self,
        session: Session,
        past: RunState | None = None,
        *,
        theme: str | None = None,
        profile: TerminalProfile | None = None,
        on_ready: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(profile or TerminalProfile(), session.run.path, theme)
        self._session = session
        self._on_ready = on_ready
        self._clock = clock
        self._leaving = False
        self.hung_up = False
        self._overlay: tuple[RunEntry, ...] = ()
        self._pending = PendingCommands()
        self._unseen = False
        self._shown_at = 0.0
        self.state = past or RunState(name=session.run.name)
        for name in SCREENS:
            self.add_mode(name, partial(self._opened, name))

    def on_mount(self) -> None:
        """Open the main screen; the engine is started only once it stands."""
        self.switch_mode("main")
        self.start_frames()
        self.watch_signals()
        self.call_after_refresh(self._painted)

    def frame(self) -> float:
        """Take in what the engine has said, and show it if there is any of it, or if the clock has moved.

        Returns the share of the time that drawing may take from what trains.
        """
        self._take_in()
        now = self.frame_pacing.reading(self._clock(), self.state.started)
        ticks = not self.state.ended or (isinstance(self.screen, RunScreen) and self.screen.LIVE)
        if self._unseen or (ticks and now != self._shown_at):
            self._show()
        if self.state.ended or self.state.phase in ("paused", "holding"):
            return NOTHING_TRAINS
        return (
            EVERY_CORE_BUSY if self.state.phase == "extracting" or not self.state.only_head_trains else ONLY_HEAD_TRAINS
        )

    def drain(self) -> None:
        """Take in what the engine has said since the last time, and show the state as it is."""
        self._take_in()
        self._show()

    def _take_in(self) -> None:
        for event in self._session.events():
            self._unseen = True
            self.state.apply(event)
            self._pending.answer(event)
            self._announce(event)

    def _show(self) -> None:
        if isinstance(self.screen, RunScreen) and self.screen.is_mounted:
            self._unseen = False
            self._shown_at = self.frame_pacing.reading(self._clock(), self.state.started)
            self.screen.standing = self._session.standing
            self.screen.pending = self._pending.layers
            self.screen.show_state(self.state, self._shown_at)

    def _send(self, command: cmd.AnyCommand) -> None:
        """Send a command, and show at once what has been asked for: the engine answers after its batch."""
        self._session.send(command)
        self._pending.ask(command, self.state)
        if isinstance(self.screen, RunScreen):
            self.screen.show_pending(self._pending.layers)
        if len(self._pending) == 1:
            self.set_timer(_LISTENING_SECONDS, self._listen)

    def _listen(self) -> None:
        """Show the answer to what the user asked for as soon as it is there, without waiting for the next frame."""
        # While the app closes, its screens are gone before its timers.
        if not self.screen_stack:
            return
        waiting = len(self._pending)
        self._take_in()
        if len(self._pending) < waiting:
            self._show()
        if len(self._pending):
            self.set_timer(_LISTENING_SECONDS, self._listen)

    def _opened(self, name: str) -> RunScreen:
        surroundings = Surroundings(
            self.profile, self._session.run, self.machine, self.traffic, self.terminal_use, self.colors_told
        )
        screen = open_screen(name, self.state, surroundings)
        screen.standing = self._session.standing
        # Its widgets are styled as they are mounted; without this Textual would read all style sheets once more first.
        mark_as_styled(screen, self)
        return screen

    async def action_open(self, name: str) -> None:
        """Open a screen by its name; the first thing seen of it is the present state."""
        with self.batch_update():
            await self.switch_mode(name)
            if isinstance(self.screen, RunScreen):
                self.screen.overlay(self._overlay)
            self.drain()

    def delay_update(self, delay: float = 0.05) -> None:
        """Textual paints nothing for so long while screens change; one that is opened in a batch needs no such wait."""
        if not self.is_batching:
            super().delay_update(delay)

    def action_act(self, name: str) -> None:
        """Do an action of the registry, or say why it cannot be done now."""
        action = find_action(name)
        goes_on = action.trains_on and self.state.ended and self._session.standing.takes_up
        if not goes_on and (reason := action.refuse(self.state)):
            self.show_notice(f"{action.shown}: {reason}", "warning")
            return
        match action.handler:
            case Sends(command):
                self._send(command(self.state))
            case ByApp(do):
                do(self)
            case ByScreen() as handler if not handler.done_by(self.screen):
                # The palette does what was chosen a moment later, when another screen may be open.
                where = ", ".join(SCREENS[screen] for screen in action.screens)
                self.show_notice(f"{action.shown}: works on {where} only", "warning")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: what works on this screen, the other screens, and the theme."""
        here = screen.NAME if isinstance(screen, RunScreen) else "main"
        for action in actions_on(here):
            yield SystemCommand(action.text, action.shown, partial(self.action_act, action.id))
        for number, (name, label) in enumerate(SCREENS.items(), 1):
            yield SystemCommand(f"open {label}", str(number), partial(self.action_open, name))
        for theme in sorted(self.available_themes):
            yield SystemCommand(f"theme {theme}", "colours", partial(setattr, self, "theme", theme))

    def action_command_palette(self) -> None:
        """Open the palette."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(TolerantPalette(id="--command-palette"))

    def on_paste(self, event: Paste) -> None:
        """Text that no field takes is no row of commands."""
        shown = "".join(sign if sign.isprintable() else " " for sign in event.text[:_PASTE_SHOWN]).strip()
        more = "…" if len(event.text) > _PASTE_SHOWN else ""
        self.show_notice(f"ignored, as it was pasted: {shown}{more}", "warning")

    def on_command_wanted(self, message: CommandWanted) -> None:
        """A screen wants something of the engine."""
        self._send(message.command)

    async def on_images_wanted(self, message: ImagesWanted) -> None:
        """A screen wants certain validation images shown."""
        await self.action_open("predict")
        if isinstance(self.screen, RunScreen):
            self.screen.pick_pair((message.true, message.predicted))

    def on_overlay_chosen(self, message: OverlayChosen) -> None:
        """Curves of other runs for the main screen."""
        self._overlay = message.runs

    def on_notice(self, message: Notice) -> None:
        """A screen has something to tell."""
        self.show_notice(message.text, message.severity)

    def show_notice(self, text: str, severity: Severity = "information", timeout: float = 4) -> None:
        """Show a line in passing."""
        shown = to_ascii(text) if self.profile.ascii_only else text
        self.notify(shown, severity=severity, timeout=timeout, markup=False)

    def _painted(self) -> None:
        if self._on_ready is not None:
            self._on_ready()
            self._on_ready = None

    def _announce(self, event: Event) -> None:
        match event:
            case CommandDone():
                # A price takes longer to read than what was done takes to notice.
                if event.text:
                    self.show_notice(event.text, timeout=12 if event.command == "estimate" else 4)
            case CommandRefused():
                self.show_notice(event.reason, "warning")
            case RunFinished():
                if self._leaving or event.exit_status == 2:
                    self.exit(event.exit_status)

    def do_theme(self) -> None:
        """Switch between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def do_learning_rate(self) -> None:
        """Ask for the head's learning rate."""

        def take(rate: float | None) -> None:
            if rate is not None:
                self._session.send(cmd.SetLr(lr=rate))

        head = next((row for row in self.state.layers if row.is_head), None)
        self.push_screen(LearningRateDialog(head.lr if head else None), take)

    def do_help(self) -> None:
        """List what works on this screen."""
        if isinstance(self.screen, RunScreen):
            self.push_screen(HelpDialog(self.screen.NAME, self.screen.HINTS))

    def do_detach(self) -> None:
        """Leave the dashboard; the run goes on."""
        self.exit(0)

    def hang_up(self) -> None:
        """The terminal is gone; the run goes on."""
        self.hung_up = True
        self.exit(0)

    def terminate_at_once(self) -> None:
        """Leave; what was not saved is lost."""
        self.exit(EXIT_INTERRUPTED)

    def terminate(self) -> None:
        """Stop the run between two batches, save, and leave; one that is elsewhere is only left."""
        if not self._session.alive or self._session.standing.elsewhere:
            self.exit(EXIT_INTERRUPTED)
            return
        self._leaving = True
        self._session.send(cmd.Stop(when="now", interrupted=True))
        self.show_notice("told to end: stopping between two batches, then saving", timeout=60)

    def do_quit_or_ask(self) -> None:
        """Leave at once when nothing is lost, else ask."""
        if self._session.standing.elsewhere:
            self.exit(self.state.finished.exit_status if self.state.finished else 0)
        else:
            self.do_end_or_ask()

    def do_end_or_ask(self) -> None:
        """End the run, and ask before anything is lost, or if others watch it."""
        finished, standing = self.state.finished, self._session.standing
        others = standing.viewers - 1
        if finished is not None or not self._session.alive or standing.read_only:
            self.exit(finished.exit_status if finished else 0)
        elif self.state.holding and not others and not standing.elsewhere:
            # Everything is saved.
            self._end()
        elif not isinstance(self.screen, QuitDialog):
            self.push_screen(QuitDialog(holds=self.state.holding is not None, others=others), self._answered)

    def _answered(self, answer: Answer | None) -> None:
        if answer == "detach":
            self.do_detach()
        if answer != "stop":
            return
        if self.state.finished is not None:
            self.exit(self.state.finished.exit_status)
            return
        self._end()
        if not self.state.holding:
            self.show_notice("stopping between two batches, then saving")

    def _end(self) -> None:
        self._leaving = True
        self._session.send(cmd.Stop(when="now"))
