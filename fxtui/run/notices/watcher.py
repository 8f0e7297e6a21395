"""Watches a run for its user in a thread of its own, which the run never waits for."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from fxtui.config import SessionConfig
from fxtui.protocol.encoding import encode
from fxtui.protocol.events import Event
from fxtui.run.notices.command import run_command
from fxtui.run.notices.occasions import Notice, Occasions
from fxtui.run.store import RunDirectory

_LOOK_SECONDS, _DISK_SECONDS = 1.0, 30.0
# What ``session.notify`` is run for; the others are only told.
_NOTIFIES = ("holding", "finished", "stopped", "failed", "stalled")
# Waiting for the command that runs: more of them are older than what there is to say.
_MOST_WAITING = 4


class RunWatcher:
    """Is handed a run's events, and tells of what its user should know.

    ``tell`` is called from that thread with every notice, ``log`` from another one with what the user's command prints:
    there commands run, one after the other. To be made in the process of the run, after any fork.
    """

    def __init__(
        self,
        run: RunDirectory,
        session: SessionConfig,
        tell: Callable[[Notice], None],
        log: Callable[[str], None],
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._run = run
        self._command = session.notify.strip()
        self._tell = tell
        self._log = log
        self._look_seconds = look_seconds
        self._events: queue.SimpleQueue[tuple[float, Event] | None] = queue.SimpleQueue()
        self._waiting: deque[Notice] = deque(maxlen=_MOST_WAITING)
        self._wake = threading.Condition()
        self._closed = False
        self._watching = threading.Thread(target=self._watch, name="fxtui-watcher", daemon=True)
        self._notifying = threading.Thread(target=self._notify, name="fxtui-notify", daemon=True)
        self._watching.start()
        if self._command:
            self._notifying.start()

    def take(self, event: Event) -> None:
        """Take in an event. Never waits; may be called from any thread."""
        self._events.put((time.monotonic(), event))

    def close(self) -> None:
        """The run has ended: tell what is left, and let the command come to its end, within its time limit."""
        self._events.put(None)
        self._watching.join()
        with self._wake:
            self._closed = True
            # Only the last matters now: it is the end.
            while len(self._waiting) > 1:
                self._waiting.popleft()
            self._wake.notify()
        if self._command:
            self._notifying.join()

    def _watch(self) -> None:
        occasions = Occasions(time.monotonic())
        disk_at = 0.0
        while True:
            try:
                taken = self._events.get(timeout=self._look_seconds)
            except queue.Empty:
                pass
            else:
                if taken is None:
                    return
                self._say(occasions.take(taken[1], taken[0]))
                # The queue first: what was done is in there.
                if not self._events.empty():
                    continue
            now = time.monotonic()
            free = None
            if now - disk_at >= _DISK_SECONDS:
                disk_at, free = now, _free(self._run)
            self._say(occasions.look(now, free))

    def _say(self, notice: Notice | None) -> None:
        if notice is None:
            return
        self._tell(notice)
        if self._command and notice.kind in _NOTIFIES:
            with self._wake:
                self._waiting.append(notice)
                self._wake.notify()

    def _notify(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                notice = self._waiting.popleft()
            text = notice.text.replace("\0", " ")
            variables = {"FXTUI_RUN": str(self._run.path.absolute()), "FXTUI_NOTICE": notice.kind, "FXTUI_TEXT": text}
            # What was read off the clock has no time of its own.
            event = notice.event if notice.event.t else msgspec.structs.replace(notice.event, t=time.time())
            run_command(self._command, encode(event) + b"\n", variables, self._log)


def _free(run: RunDirectory) -> int | None:
    try:
        return shutil.disk_usage(run.path).free
    except OSError:
        return None
