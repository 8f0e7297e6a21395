"""What counts as training: the seconds of an epoch without what was done otherwise in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


class TrainingClock:
    """Runs while training does. ``timings`` are seconds by part of the work, pauses and questions included.

    ``away`` counts the seconds since the start that were spent otherwise than in training.
    """

    def __init__(self) -> None:
        self.timings = {"extract": 0.0, "train": 0.0, "validate": 0.0}
        self.away = 0.0
        self._epoch_started = time.monotonic()

    def begin_epoch(self) -> None:
        """An epoch begins, or goes on after a checkpoint."""
        self._epoch_started = time.monotonic()

    def epoch_seconds(self) -> float:
        """Seconds that this process has trained and validated in the epoch under way."""
        return time.monotonic() - self._epoch_started

    def discount(self, seconds: float) -> None:
        """Leave out time spent otherwise than in training."""
        self.away += seconds
        self._epoch_started += seconds

    def discounted(self, work: Callable[[], _Result]) -> _Result:
        """Do something that is no training, and leave its time out; where it fails, the epoch bears it."""
        started = time.monotonic()
        result = work()
        self.discount(time.monotonic() - started)
        return result
