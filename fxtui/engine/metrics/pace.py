"""How fast a run trains with its present freezing, measured from its own events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median

from fxtui.protocol import events as ev

_EPOCHS = 3
_REPORTS = 20


class Pace:
    """The median of the last few epochs and reports of batches since the freezing was changed.

    An epoch in which it was changed counts for neither state.
    """

    def __init__(self) -> None:
        self._epochs: deque[float] = deque(maxlen=_EPOCHS)
        self._rates: deque[float] = deque(maxlen=_REPORTS)
        self._whole = True
        self._steady = False

    def watching(self, emit: Callable[[ev.Event], None]) -> Callable[[ev.Event], None]:
        """The same emit, with every event taken in on its way."""

        def watched(event: ev.Event) -> None:
            self.take(event)
            emit(event)

        return watched

    def take(self, event: ev.Event) -> None:
        """Learn from one event."""
        match event:
            case ev.FreezeChanged() | ev.RunContinued():
                self._epochs.clear()
                self._rates.clear()
                self._whole = self._steady = False
            case ev.CostEstimated():
                self._steady = False
            case ev.BatchEnd():
                # The first report after an interruption, or of a run, counts time that no batch took.
                if self._steady:
                    self._rates.append(event.images_per_s)
                self._steady = True
            case ev.EpochEnd():
                if self._whole:
                    self._epochs.append(event.seconds)
                self._whole = True
            case _:
                pass

    @property
    def seconds_per_epoch(self) -> float | None:
        """Training and validation together; None before a whole epoch has ended."""
        return median(self._epochs) if self._epochs else None

    @property
    def seconds_per_image(self) -> float | None:
        """Training alone; None before it has been seen for a while."""
        rate = median(self._rates) if self._rates else 0.0
        return 1 / rate if rate > 0 else None
