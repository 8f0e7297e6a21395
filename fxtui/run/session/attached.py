"""A session with a run whose engine is elsewhere, or has ended: the journal is its past, the socket its present.

Where there is no socket (a copy of the directory, another machine, no right to it) the journal is followed.
"""

from __future__ import annotations

import contextlib
import secrets
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from fxtui.config import ConfigError
from fxtui.protocol.commands import AnyCommand, Evaluate, Predict
from fxtui.protocol.events import CommandDone, CommandRefused, Event, RunFinished
from fxtui.run.session.address import inode_of, read_address
from fxtui.run.session.connection import EngineConnection, EngineGoneError
from fxtui.run.session.history import History
from fxtui.run.session.liveness import LifeWatch, Liveness
from fxtui.run.session.once import EachOnce
from fxtui.run.session.session import Standing, trains_on
from fxtui.run.session.wire import Heartbeat, Missed, fault_of
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory

# Events that wait for the view; while there are more, no more are read. The engine's side drops what does not fit.
_BOUND = 20_000
_TURN_SECONDS, _LOOK_SECONDS, _TRY_SECONDS = 0.2, 0.5, 0.5
# A run that has ended may be taken up again at any time.
_AT_REST_SECONDS = 1.0
# For which a command waits until the engine can be reached, and until that of an ended run has been started.
_REACH_SECONDS, _TAKE_UP_SECONDS = 3.0, 60.0


class AttachedSession:
    """Watches a run and sends it commands; any number may, from any process of the same user.

    ``read_only``: nothing can be changed, and nobody is counted as watching; ``viewer`` False: it can, but it does not
    count. ``history`` False: what was before is not read, and :meth:`take_past` gives nothing. ``take_up`` makes an
    ended run go on in a process of its own, or raises ConfigError; a command that trains on is then put to that.
    """

    def __init__(
        self,
        run: RunDirectory,
        *,
        read_only: bool = False,
        viewer: bool = True,
        history: bool = True,
        take_up: Callable[[RunDirectory], None] | None = None,
    ) -> None:
        self.run = run
        self.read_only = read_only
        self.client = secrets.token_hex(6)
        # How many watch, as far as is known.
        self.viewers = 0
        self._viewer = viewer and not read_only
        self._with_history = history
        self._history = History(run)
        self._once = EachOnce(run.journal)
        self._engine: EngineConnection | None = None
        self._engine_pid = 0
        self._fault = ""
        self._selector = selectors.DefaultSelector()
        self._life = LifeWatch(run, time.monotonic())
        self._liveness = self._life.look(time.monotonic(), ended=False)
        self._ended = False
        self._last_t = 0.0
        self._follows = threading.Event()
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()
        self._outgoing: deque[tuple[float, AnyCommand]] = deque()
        self._unanswered: dict[str, AnyCommand] = {}
        self._sent = 0
        self._take_up = take_up
        self._taken_up_until = 0.0
        self._closing = False
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._thread = threading.Thread(target=self._work, name="fxtui-attached", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether more events may come: the run has no end, and its process lives as far as is known."""
        return not self._ended and self._liveness.status not in ("dead", "ended")

    @property
    def liveness(self) -> Liveness:
        """What is known of the run's process."""
        return Liveness("ended") if self._ended else self._liveness

    @property
    def connected(self) -> bool:
        """Whether the engine can be told something right now."""
        return self._engine is not None

    @property
    def standing(self) -> Standing:
        """The engine is elsewhere, and this is what is known of it."""
        return Standing(
            elsewhere=True,
            trouble=self.liveness.text,
            viewers=max(self.viewers, 1),
            read_only=self.read_only,
            takes_up=self._take_up is not None and not self.read_only,
        )

    @property
    def read_part(self) -> float:
        """How much of the past has been read, from 0 to 1."""
        return self._history.read_part

    @property
    def out_of_reach(self) -> str:
        """Why the engine cannot be told anything, where it is not connected."""
        if self._ended:
            return "the run has ended"
        if not self.alive:
            return f"the run's process has died; fxtui train --resume {self.run.name} goes on"
        address = self._life.address
        if address is not None and self._liveness.status == "stopped":
            return f"the run's process is stopped; kill -CONT {address.pid} has it go on"
        if address is not None and address.host != socket.gethostname():
            return f"the run takes commands on {address.host} only, where it runs"
        if address is None:
            return "the run cannot be reached: it has no control socket"
        return f"the run cannot be reached: {self._fault or 'it does not answer'}"

    def start(self) -> None:
        """Begin to read the past, and to follow the run once it is read."""
        self._thread.start()

    def first_look(self) -> RunState:
        """Enough of the state for a first picture, however long the journal is: what the run said before it trained."""
        return self._history.first_look()

    def take_past(self, timeout: float | None = None) -> RunState | None:
        """The state that the first of :meth:`events` goes on from, for the caller to own; None if it is not there yet.

        Raises:
            ConfigError: the journal cannot be read.
        """
        return self._history.take() if self._follows.wait(timeout) else None

    def events(self) -> list[Event]:
        """The events since the last call, in order, without waiting."""
        with self._changed:
            events = list(self._events)
            self._events.clear()
            self._changed.notify_all()
        return events

    def wait_event(self, timeout: float | None = None) -> Event | None:
        """The next event, or None after ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._events, timeout):
                return None
            self._changed.notify_all()
            return self._events.popleft()

    def wait_connected(self, timeout: float) -> bool:
        """Wait until the engine can be told something; False if it cannot in so many seconds, or never again."""
        end = time.monotonic() + timeout
        self._follows.wait(timeout)
        while not self.connected and self.alive and time.monotonic() < end:
            time.sleep(0.01)
        return self.connected

    def stamp(self, command: AnyCommand) -> AnyCommand:
        """The command as it will be sent: with an id, by which its answer is known, and this session's name."""
        self._sent += 1
        stamped: AnyCommand = msgspec.structs.replace(
            command, id=command.id or f"{self.client}-{self._sent}", client=command.client or self.client
        )
        return stamped

    def send(self, command: AnyCommand) -> None:
        """Put a command to the engine; an event will answer it, be it that it cannot be put.

        Where there is no engine to be told anything, a view's questions about images stay without an answer: it asks
        them of its own accord, time and again.
        """
        command = self.stamp(command)
        if self.read_only:
            self._turn_down(command, "read-only: nothing can be changed from here")
        elif fault := fault_of(command):
            self._refuse(command, fault)
        else:
            self._outgoing.append((time.monotonic(), command))
            self._wake()

    def close(self) -> None:
        """Leave. The run does not notice."""
        self._closing = True
        self._history.cancel()
        self._wake()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._waker.close()
        self._woken.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _work(self) -> None:
        once = self._history.read() if self._with_history else self._history.skip()
        if once is not None:
            self._once = once
            self._ended, self._last_t = self._history.ended, self._history.updated
        self._follows.set()
        if once is not None:
            self._selector.register(self._woken, selectors.EVENT_READ)
            self._follow()
        self._lose()
        self._selector.close()

    def _follow(self) -> None:
        tried = looked = polled = 0.0
        while not self._closing:
            now = time.monotonic()
            if self._engine is None:
                if now - tried >= _TRY_SECONDS:
                    self._connect()
                    tried = now
                if self._engine is None and (self.alive or now - polled >= _AT_REST_SECONDS):
                    self._read_journal()
                    polled = now
            if now - looked >= _LOOK_SECONDS:
                self._look(now)
                looked = now
            self._send_waiting(now)
            self._turn()

    def _turn(self) -> None:
        """Wait a moment for news, from the engine or from the view."""
        engine = self._engine
        ready = early = engine is not None and engine.has_early
        for key, _ in self._selector.select(0 if early else _TURN_SECONDS):
            if key.fileobj is self._woken:
                self._woken.recv(4096)
            ready |= key.fileobj is engine
        try:
            if engine is not None and ready:
                for said in engine.read():
                    self._hear(said)
        except EngineGoneError:
            self._lose()

    def _hear(self, said: Event | Heartbeat | Missed) -> None:
        self._life.heard(time.monotonic())
        match said:
            case Heartbeat():
                self.viewers = said.viewers
            case Missed():
                self._read_journal()
            case CommandDone() | CommandRefused() if said.seq <= self._once.last_seq:
                # One that is not in the journal, or one that was read there.
                if said.id in self._unanswered:
                    self._deliver(said)
            case _:
                if self._once.is_new(said):
                    self._take_in(said)

    def _read_journal(self) -> None:
        for event in self._once.unread():
            self._take_in(event)
            if self._closing:
                return

    def _take_in(self, event: Event) -> None:
        """An event of the journal's, new and in order."""
        self._ended = isinstance(event, RunFinished)
        self._last_t = event.t
        self._deliver(event)

    def _deliver(self, event: Event) -> None:
        if isinstance(event, CommandDone | CommandRefused):
            self._unanswered.pop(event.id, None)
        with self._changed:
            # What the view's own thread puts here, which makes room, must not wait for it.
            mine = threading.current_thread() is self._thread
            self._changed.wait_for(lambda: not mine or len(self._events) < _BOUND or self._closing)
            self._events.append(event)
            self._changed.notify_all()

    def _connect(self) -> None:
        """Try to reach the engine; where it can be reached, what was missed meanwhile is in the journal."""
        address = read_address(self.run)
        if address is None or address.host != socket.gethostname():
            return
        try:
            engine = EngineConnection(address.path, inode_of(self.run))
        except OSError as error:
            self._fault = str(error)
            return
        self._engine = engine
        self._selector.register(engine, selectors.EVENT_READ)
        self.viewers = engine.hello.viewers + self._viewer
        self._life.heard(time.monotonic())
        try:
            engine.subscribe(self._once.last_seq + 1, viewer=self._viewer)
            self._read_journal()
            if engine.hello.pid != self._engine_pid:
                self._give_up(self._unanswered.values(), "the run was taken up again by another process meanwhile")
            self._engine_pid = engine.hello.pid
            # It knows by the id what it has taken already.
            for command in list(self._unanswered.values()):
                engine.order(command)
        except EngineGoneError:
            self._lose()

    def _lose(self) -> None:
        if self._engine is not None:
            self._selector.unregister(self._engine)
            self._engine.close()
            self._engine = None

    def _look(self, now: float) -> None:
        liveness = self._life.look(now, ended=self._ended)
        if liveness.status == "dead":
            # Its last words may have come since the journal was read.
            self._lose()
            self._read_journal()
            liveness = Liveness("ended") if self._ended else liveness
        self._liveness = liveness
        if not self.alive and self._engine is None:
            self._give_up(self._unanswered.values(), "the run ended before it answered")

    def _send_waiting(self, now: float) -> None:
        while self._outgoing:
            since, command = self._outgoing[0]
            if self._engine is not None:
                self._outgoing.popleft()
                self._unanswered[command.id] = command
                try:
                    self._engine.order(command)
                except EngineGoneError:
                    self._lose()
            elif now <= self._taken_up_until or (self.alive and now - since <= _REACH_SECONDS):
                return
            elif fault := self._make_go_on(command):
                self._outgoing.popleft()
                self._turn_down(command, fault)

    def _make_go_on(self, command: AnyCommand) -> str:
        """Have a run that has ended go on, if the command asks for it; why the command cannot be put, if it cannot."""
        if self.alive or self._take_up is None or not trains_on(command):
            return self.out_of_reach
        try:
            self._take_up(self.run)
        except ConfigError as error:
            # Another viewer may have been faster.
            if not self.run.is_locked():
                return str(error)
        self._taken_up_until = time.monotonic() + _TAKE_UP_SECONDS
        return ""

    def _give_up(self, commands: Iterable[AnyCommand], reason: str) -> None:
        for command in list(commands):
            self._refuse(command, reason)

    def _turn_down(self, command: AnyCommand, reason: str) -> None:
        if not (isinstance(command, Predict | Evaluate) and command.origin == "user"):
            self._refuse(command, reason)

    def _refuse(self, command: AnyCommand, reason: str) -> None:
        """Answer in the engine's place, after the last event and as if at its time."""
        self._deliver(
            CommandRefused(
                command=command.name,
                reason=reason,
                id=command.id,
                client=command.client,
                t=self._last_t,
                seq=self._once.last_seq,
            )
        )
