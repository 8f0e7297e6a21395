"""Whether the process of a run elsewhere lives, told from its pid, its lock and its beat."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from typing import Literal

from fxtui.machine import processes
from fxtui.run.session.address import Address, read_address
from fxtui.run.session.wire import HEARTBEAT
from fxtui.run.store import RunDirectory
from fxtui.text import numbers as fmt

Life = Literal["running", "stopped", "silent", "dead", "ended"]
_SILENT_SECONDS = 3 * HEARTBEAT + 1


@dataclass(frozen=True, slots=True)
class Liveness:
    """What is known of a run's process.

    - running: it says something, or at least writes to the run.
    - stopped: the operating system does not let it run, as after ctrl-z.
    - silent: it has said nothing for ``seconds``.
    - dead: it is gone, or writes to the run no more, and the run has no end.
    - ended: the run has an end.
    """

    status: Life
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """What a user should know of it; empty where it runs or has ended."""
        match self.status:
            case "stopped":
                return "stopped"
            case "silent":
                return f"no news for {fmt.duration(self.seconds)}"
            case "dead":
                return "the run's process has died"
            case "running" | "ended":
                return ""


class LifeWatch:
    """Looks now and then whether a run's process lives. Times are by the monotonic clock."""

    def __init__(self, run: RunDirectory, now: float) -> None:
        self._run = run
        self._beat = 0.0
        self._news = now
        self.address: Address | None = None

    def heard(self, now: float) -> None:
        """Something came from the process."""
        self._news = now

    def look(self, now: float, *, ended: bool) -> Liveness:
        """What is known now. ``ended``: the run has said its last word."""
        self.address = address = read_address(self._run)
        if ended:
            return Liveness("ended")
        if address is not None and address.beat != self._beat:
            # Compared with itself only: the clock of another machine may be another.
            self._beat, self._news = address.beat, now
        seconds = now - self._news
        silent = Liveness("silent", seconds) if seconds > _SILENT_SECONDS else Liveness("running")
        locked = self._is_locked()
        if address is None:
            # It has just begun, or there can be no socket: its writing to the run is all that tells.
            return Liveness("dead") if locked is False else Liveness("running")
        if address.host != socket.gethostname():
            # A lock may not reach from there to here.
            return Liveness("dead") if silent.status == "silent" and locked is False else silent
        if locked is False or not processes.is_same(address.pid, address.started):
            return Liveness("dead")
        return Liveness("stopped") if processes.is_stopped(address.pid) else silent

    def _is_locked(self) -> bool | None:
        """Whether somebody writes to the run; None where this cannot be told."""
        lock = self._run.path / ".lock"
        with contextlib.suppress(OSError):
            if not lock.exists() or os.access(lock, os.R_OK):
                return self._run.is_locked()
        return None
