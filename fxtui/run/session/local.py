"""A live connection to a run: events come out, commands go in.

The engine's thread is ours: not a daemon and no user interface's worker, so it outlives the dashboard. It never waits
for a listener, and a listener never waits for it; between them are two queues.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from fxtui.config import ConfigError
from fxtui.protocol.commands import AnyCommand, Evaluate, Predict
from fxtui.protocol.events import CommandDone, CommandRefused, Event, RunFinished
from fxtui.run.journal import JournalWriter
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory, RunLock


class EngineLink:
    """The engine's side of a session. Events may be emitted from any thread; commands are read by the engine's own.

    ``has_past``: the run has a journal already, and goes on from a checkpoint.
    """

    def __init__(self, run: RunDirectory, journal: JournalWriter) -> None:
        self.run = run
        self._journal = journal
        self._lock = threading.Lock()
        self._listeners: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._commands: queue.SimpleQueue[AnyCommand] = queue.SimpleQueue()
        self.has_past = journal.next_seq > 0
        self._state = run.load_state() if self.has_past else RunState()
        self._closed = False
        # Not the lock of events: whoever sends a command must not wait for the disk.
        self._gate = threading.Lock()

    def emit(self, event: Event) -> None:
        """Stamp an event, write it to the journal and hand it to whoever listens. After the last event, nothing is."""
        with self._lock:
            if self._closed:
                return
            event = msgspec.structs.replace(event, t=time.time(), seq=self._journal.next_seq)
            self._journal.next_seq += 1
            self._journal.append(event)
            self._state.apply(event)
            if isinstance(event, RunFinished):
                self.run.write_summary(self._state)
                self._journal.close()
                with self._gate:
                    self._closed = True
            self._listeners.put(event)

    def tell(self, event: Event) -> None:
        """Hand an event to whoever listens, after the last one and as if at its time; it is not written."""
        with self._lock:
            self._listeners.put(msgspec.structs.replace(event, t=self._state.updated, seq=self._state.seq))

    @property
    def closed(self) -> bool:
        """Whether `run_finished` has been emitted."""
        return self._closed

    def next_command(self, timeout: float | None = 0.0) -> AnyCommand | None:
        """The oldest command not yet taken; None if there is none within ``timeout`` seconds (None: wait)."""
        try:
            return self._commands.get(block=timeout is None or timeout > 0, timeout=timeout or None)
        except queue.Empty:
            return None

    def has_command(self) -> bool:
        """Whether a command waits. Cheap enough to ask before every batch."""
        return not self._commands.empty()

    def put_command(self, command: AnyCommand) -> bool:
        """Queue a command, unless the last event has been emitted; says whether. May be called from any thread."""
        with self._gate:
            if not self._closed:
                self._commands.put(command)
            return not self._closed

    def take_events(self) -> list[Event]:
        """All events emitted since the last call, without waiting."""
        events: list[Event] = []
        while True:
            try:
                events.append(self._listeners.get_nowait())
            except queue.Empty:
                return events

    def wait_event(self, timeout: float | None = None) -> Event | None:
        """The next event, or None after ``timeout`` seconds."""
        try:
            return self._listeners.get(timeout=timeout)
        except queue.Empty:
            return None


class Session(Protocol):
    """What a view needs of a run, be it in this process or elsewhere."""

    @property
    def run(self) -> RunDirectory:
        """The run's directory."""

    @property
    def alive(self) -> bool:
        """Whether more events may come."""

    def events(self) -> list[Event]:
        """The events since the last call, in order, without waiting."""

    def send(self, command: AnyCommand) -> None:
        """Queue a command; an event will answer it."""


Engine = Callable[[EngineLink], None]
# Answers a command after the engine has ended; raises ConfigError where it cannot.
AfterEngine = Callable[[AnyCommand], list[Event]]


class LocalSession:
    """A run whose engine is a thread of this process.

    ``engine`` is called in that thread and reports its own failures as `run_finished`; it may import what it likes, so
    that starting a session imports no torch here. ``continued``: the run has a journal already. ``after`` answers
    questions once the engine has ended, in a thread that nobody waits for; the answers are not in the journal, whose
    last event is `run_finished`.

    Raises:
        RunLockedError: another process is writing to the run.
    """

    def __init__(self, run: RunDirectory, engine: Engine, after: AfterEngine | None = None) -> None:
        self._lock = RunLock(run)
        self.link = EngineLink(run, JournalWriter(run.journal))
        self.continued = self.link.has_past
        # The summary of an ended run is not that of one which goes on.
        run.summary.unlink(missing_ok=True)
        self._engine = engine
        self._thread = threading.Thread(target=self._work, name="fxtui-engine", daemon=False)
        self._after = after
        self._questions: queue.SimpleQueue[AnyCommand] = queue.SimpleQueue()
        self._answering: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def run(self) -> RunDirectory:
        """The run's directory."""
        return self.link.run

    @property
    def alive(self) -> bool:
        """Whether the engine's thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the engine's thread."""
        self._thread.start()

    def events(self) -> list[Event]:
        """The events since the last call, in order, without waiting."""
        return self.link.take_events()

    def wait_event(self, timeout: float | None = None) -> Event | None:
        """The next event, or None after ``timeout`` seconds."""
        return self.link.wait_event(timeout)

    def send(self, command: AnyCommand) -> None:
        """Queue a command; an event will answer it, also after the engine has ended."""
        if not self.link.put_command(command):
            self._ask_after(command)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the engine has ended."""
        self._thread.join(timeout)

    def _ask_after(self, command: AnyCommand) -> None:
        self._questions.put(command)
        with self._starting:
            if self._answering is None:
                self._answering = threading.Thread(target=self._answer, name="fxtui-afterwards", daemon=True)
                self._answering.start()

    def _answer(self) -> None:
        while True:
            command = self._questions.get()
            try:
                if self._after is None:
                    raise ConfigError("the run has ended")
                answers = [*self._after(command), CommandDone(command=command.name, text="")]
            except ConfigError as error:
                answers = [CommandRefused(command=command.name, reason=str(error))]
            # Whatever went wrong with one question, e.g. memory ran out, it is said and the next one is answered.
            except Exception as error:  # noqa: BLE001
                detail = (str(error).strip() or type(error).__name__).splitlines()[0]
                answers = [CommandRefused(command=command.name, reason=f"{type(error).__name__}: {detail}")]
            for answer in answers:
                self.link.tell(answer)

    def _work(self) -> None:
        try:
            self._engine(self.link)
        finally:
            self._lock.release()
            # What was sent while the engine came to its end.
            while (command := self.link.next_command()) is not None:
                self._ask_after(command)


def refuse_rest(link: EngineLink, reason: str) -> None:
    """Answer every command that still waits, so that none stays without an answer; questions wait for the end."""
    questions: list[AnyCommand] = []
    while (command := link.next_command()) is not None:
        if isinstance(command, Predict | Evaluate):
            questions.append(command)
        else:
            link.emit(CommandRefused(command=command.name, reason=reason))
    for question in questions:
        link.put_command(question)
