"""Signals while a run is followed: the run is asked to stop and save, and is waited for."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType, TracebackType

from fxtui.cli.following.exit_status import EXIT_INTERRUPTED
from fxtui.protocol.commands import Stop
from fxtui.run.session.local import LocalSession

_TOLD = "stopping between two batches, then saving; the exit status will be 130. Once more ends it at once"
# Who ends a job may tell every process of its group, and each of them those that it waits for.
_TWIN_SECONDS = 0.5


class StopSignals:
    """While entered, SIGINT and SIGTERM stop the run, and SIGHUP is ignored: training outlives its terminal.

    The first is told the engine, which saves; :meth:`news` gives what there is to tell the user, so that it is printed
    between two lines. A second one ends the process at once: nothing half-written is ever taken for whole.
    """

    def __init__(self, session: LocalSession) -> None:
        self._session = session
        self._first: float | None = None
        self._news: str | None = None
        self._previous: dict[signal.Signals, object] = {}

    def news(self) -> str | None:
        """What to tell the user since the last call, if anything."""
        news, self._news = self._news, None
        return news

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._on_signal)
        self._previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first, self._news = now, _TOLD
            self._session.send(Stop(when="now", interrupted=True))
        elif now - self._first > _TWIN_SECONDS:
            os._exit(EXIT_INTERRUPTED)
