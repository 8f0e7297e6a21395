"""Signals while a run is followed: the run is asked to stop and save, and is waited for."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

from fxtui.protocol.commands import Stop
from fxtui.run.session.local import LocalSession

_FIRST = "stopping between two batches, then saving; the exit status will be 130"
_AGAIN = "still saving; the run ends as soon as its checkpoint is complete"


class StopSignals:
    """While entered, SIGINT and SIGTERM stop the run, and SIGHUP is ignored: training outlives its terminal.

    The handlers only count; :meth:`news` gives what there is to tell the user, so that it is printed between two lines.
    """

    def __init__(self, session: LocalSession) -> None:
        self._session = session
        self._count = 0
        self._told = 0
        self._previous: dict[signal.Signals, object] = {}

    def news(self) -> str | None:
        """What to tell the user since the last call, if anything."""
        if self._told == self._count:
            return None
        text = _FIRST if self._told == 0 else _AGAIN
        self._told = self._count
        return text

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
        self._count += 1
        if self._count == 1:
            self._session.send(Stop(when="now", interrupted=True))
