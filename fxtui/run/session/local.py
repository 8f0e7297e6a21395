"""A session with an engine in this process, and a control socket for others.

The engine's thread is ours: not a daemon and no user interface's worker, so it outlives the dashboard.
"""

from __future__ import annotations

import queue
import threading

from fxtui.config import ConfigError
from fxtui.protocol.commands import AnyCommand
from fxtui.protocol.events import CommandDone, CommandRefused, Event, RunWarning
from fxtui.run.journal import JournalWriter
from fxtui.run.session.control import ControlServer
from fxtui.run.session.link import EngineLink
from fxtui.run.session.listener import Listener
from fxtui.run.session.session import AfterEngine, Engine, Standing
from fxtui.run.store import RunDirectory, RunLock


class LocalSession:
    """A run whose engine is a thread of this process.

    ``engine`` is called in that thread and reports its own failures as `run_finished`; it may import what it likes, so
    that starting a session imports no torch here. ``continued``: the run has a journal already. ``after`` answers
    questions once the engine has ended, in a thread that nobody waits for; the answers are not in the journal, whose
    last event is `run_finished`.

    Raises:
        RunLockedError: another process is writing to the run.
        ConfigError: its journal cannot be read.
    """

    def __init__(self, run: RunDirectory, engine: Engine, after: AfterEngine | None = None) -> None:
        self._lock = RunLock(run)
        try:
            self.link = EngineLink(run, JournalWriter(run.journal))
        except (OSError, ValueError) as error:
            self._lock.release()
            why = f"{run.journal}: cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            raise ConfigError(why) from None
        self.continued = self.link.has_past
        self._listener = Listener(self.link)
        self._control: ControlServer | None = None
        run.begin()
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

    @property
    def ended(self) -> bool:
        """Whether the engine's thread has run, and runs no more."""
        return self._thread.ident is not None and not self._thread.is_alive()

    @property
    def standing(self) -> Standing:
        """The view and the engine are in one process."""
        return Standing(trouble="the engine has died" if self.ended else "", viewers=max(self.link.viewers, 1))

    def start(self) -> None:
        """Start the engine's thread, and serve the control socket until it ends."""
        control = ControlServer(self.link)
        try:
            control.start()
            self._control = control
        # No descriptor, no thread: not even what says so later can be had, so it is said now.
        except (OSError, RuntimeError) as error:
            self.link.emit(RunWarning(text=f"no control socket, so no commands from elsewhere: {error}"))
        self._thread.start()

    def events(self) -> list[Event]:
        """The events since the last call, in order, without waiting; in slices if that was long ago."""
        return self._listener.events()

    def wait_event(self, timeout: float | None = None) -> Event | None:
        """The next event, or None after ``timeout`` seconds."""
        return self._listener.wait_event(timeout)

    def stop_listening(self) -> None:
        """Nobody takes events any more, so none are kept."""
        self._listener.close()

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
                self._answering = threading.Thread(target=self._answer, name="fxtui-after-the-run", daemon=True)
                self._answering.start()

    def _answer(self) -> None:
        while True:
            command = self._questions.get()
            number, client = command.id, command.client
            try:
                if self._after is None:
                    raise ConfigError("the run has ended")
                answers = [*self._after(command), CommandDone(command=command.name, text="", id=number, client=client)]
            except ConfigError as error:
                answers = [CommandRefused(command=command.name, reason=str(error), id=number, client=client)]
            # Whatever went wrong with one question, e.g. memory ran out, it is said and the next one is answered.
            except Exception as error:  # noqa: BLE001
                detail = (str(error).strip() or type(error).__name__).splitlines()[0]
                reason = f"{type(error).__name__}: {detail}"
                answers = [CommandRefused(command=command.name, reason=reason, id=number, client=client)]
            for answer in answers:
                self.link.tell(answer)

    def _work(self) -> None:
        try:
            self._engine(self.link)
        # An engine says itself how it ended. Where even that has failed, it is said for it.
        except BaseException as error:
            self.link.abandon(f"the engine ended without a result: {type(error).__name__}")
            raise
        finally:
            # While the run is still ours: whoever goes on with it makes a socket of its own.
            if self._control is not None:
                self._control.close()
            self._lock.release()
            # What was sent while the engine came to its end.
            while (command := self.link.next_command()) is not None:
                self._ask_after(command)
