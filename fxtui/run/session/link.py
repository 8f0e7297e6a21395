"""Between an engine and its session: events go out, to the journal and to who listens; commands come in.

The engine never waits for a listener, and a listener never waits for it; between them are queues, one a listener. With
nobody listening nothing is kept: the journal has it all.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable

import msgspec

from fxtui.protocol.commands import AnyCommand, Evaluate, Predict
from fxtui.protocol.events import CommandRefused, Event, RunFinished, RunWarning
from fxtui.run.journal import JournalWriter
from fxtui.run.session.subscription import Subscription
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory
from fxtui.run.summary import write_summary


class EngineLink:
    """The engine's side of a session. Events may be emitted from any thread; commands are read by the engine's own.

    ``has_past``: the run has a journal already, and goes on from a checkpoint.
    """

    def __init__(self, run: RunDirectory, journal: JournalWriter) -> None:
        self.run = run
        self._journal = journal
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()
        self._commands: queue.SimpleQueue[AnyCommand] = queue.SimpleQueue()
        self.has_past = journal.next_seq > 0
        self._state = run.load_state() if self.has_past else RunState()
        self._closed = False
        self._viewers = 0
        # Not the lock of events: whoever sends a command must not wait for the disk.
        self._gate = threading.Lock()

    def emit(self, event: Event) -> None:
        """Stamp an event, write it to the journal and hand it to whoever listens. After the last event, nothing is.

        A journal that cannot be written is told of, and ends nothing.
        """
        with self._lock:
            if self._closed:
                return
            if isinstance(event, RunFinished):
                # Before the last event, after which nothing can be said any more.
                self._journal.sync()
                self._tell_of_the_journal()
                self._record(event)
                return
            self._record(event)
            self._tell_of_the_journal()

    def abandon(self, reason: str) -> None:
        """Tell whoever listens that the engine is no more, where it could not say so itself; it is not written."""
        if not self._closed:
            self._close()
            event = RunFinished(status="failed", best=None, final=None, timings={}, reason=reason, exit_status=1)
            self._publish(msgspec.structs.replace(event, t=time.time(), seq=self._journal.next_seq))

    def _record(self, event: Event) -> None:
        event = msgspec.structs.replace(event, t=time.time(), seq=self._journal.next_seq)
        self._journal.next_seq += 1
        self._journal.append(event)
        self._state.apply(event)
        if isinstance(event, RunFinished):
            # In this order: a summary must not know of an end that a power cut has taken from the journal.
            if self._journal.sync():
                # What cannot be written is read off the journal.
                with contextlib.suppress(OSError):
                    write_summary(self.run, self._state)
            self._journal.close()
            self._close()
        self._publish(event)

    def _publish(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.put(event)

    def _tell_of_the_journal(self) -> None:
        while news := self._journal.news():
            for text in news:
                self._record(RunWarning(text=text))

    def _close(self) -> None:
        with self._gate:
            self._closed = True

    def tell(self, event: Event) -> None:
        """Hand an event to whoever listens, after the last one and as if at its time; it is not written."""
        with self._lock:
            event = msgspec.structs.replace(event, t=self._state.updated, seq=self._state.seq)
            for subscription in self._subscriptions:
                subscription.tell(event)

    @property
    def next_seq(self) -> int:
        """The number that the next event will have."""
        return self._journal.next_seq

    def subscribe(self, *, merges: bool = False, wake: Callable[[], None] | None = None) -> Subscription:
        """Hear all that is said from now on; what was said before is in the journal. See :class:`Subscription`."""
        with self._lock:
            subscription = Subscription(self._journal.next_seq, merges=merges, wake=wake)
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Hear no more."""
        with self._lock:
            self._subscriptions = tuple(kept for kept in self._subscriptions if kept is not subscription)

    @property
    def state(self) -> RunState:
        """The run so far; to be read once it has ended."""
        return self._state

    @property
    def watched(self) -> bool:
        """Whether somebody sees what the run says, and could tell it to go on."""
        return self._viewers > 0

    @property
    def viewers(self) -> int:
        """How many see what the run says."""
        return self._viewers

    def viewer_came(self) -> None:
        """One more watches. May be called from any thread."""
        with self._gate:
            self._viewers += 1

    def viewer_left(self) -> None:
        """One fewer watches. May be called from any thread."""
        with self._gate:
            self._viewers -= 1

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

    @property
    def waiting_commands(self) -> int:
        """How many commands wait, about."""
        return self._commands.qsize()

    def put_command(self, command: AnyCommand) -> bool:
        """Queue a command, unless the last event has been emitted; says whether. May be called from any thread."""
        with self._gate:
            if not self._closed:
                self._commands.put(command)
            return not self._closed


def refuse_rest(link: EngineLink, reason: str) -> None:
    """Answer every command that still waits, so that none stays without an answer; questions wait for the end."""
    questions: list[AnyCommand] = []
    while (command := link.next_command()) is not None:
        if isinstance(command, Predict | Evaluate):
            questions.append(command)
        else:
            link.emit(CommandRefused(command=command.name, reason=reason, id=command.id, client=command.client))
    for question in questions:
        link.put_command(question)
