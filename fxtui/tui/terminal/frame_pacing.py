"""How often the dashboard draws: often enough to follow, seldom enough to cost neither training nor the line much."""

from __future__ import annotations

import math
from dataclasses import dataclass

FASTEST, FASTEST_ON_SLOW_LINES = 0.25, 1.0
SLOWEST = 2.0
# The share of the time that drawing may take, by what it takes it from. Where every core computes, all of them wait for
# the one that draws, so that training loses more than that; a head alone trains in moments, and there is more to see.
EVERY_CORE_BUSY, ONLY_HEAD_TRAINS, NOTHING_TRAINS = 0.006, 0.03, 1.0
# The most that it may take from any training so that something moves.
_MOST = 0.03
BYTES_PER_SECOND, BYTES_PER_SECOND_ON_SLOW_LINES = 1100.0, 400.0
# A write that takes this part of the time between two frames leaves the line no rest.
_WRITES_PER_WAIT = 10.0
_READING, _READING_ON_SLOW_LINES = 1.0, 5.0


@dataclass(frozen=True, slots=True)
class Frame:
    """What the last frame took: processor seconds, bytes sent since the frame before, seconds that a write took."""

    cost: float = 0.0
    sent: int = 0
    latency: float = 0.0


@dataclass(frozen=True, slots=True)
class FramePacing:
    """Says how long to wait for the next frame. What a key press changes is drawn at once and does not wait."""

    low_bandwidth: bool = False

    def wait(self, frame: Frame, share: float) -> float:
        """Seconds to the next frame, where drawing may take this share of the time.

        At least a quarter of a second, longer where frames are dear: up to two seconds for the share, longer only where
        drawing would take 3% from training; the bytes sent are paid off at a fixed rate; a terminal that is slow to
        accept them gets two seconds.
        """
        shortest = FASTEST_ON_SLOW_LINES if self.low_bandwidth else FASTEST
        rate = BYTES_PER_SECOND_ON_SLOW_LINES if self.low_bandwidth else BYTES_PER_SECOND
        line = min(SLOWEST, max(frame.latency * _WRITES_PER_WAIT, frame.sent / rate))
        spared = max(min(SLOWEST, frame.cost / share), frame.cost / max(share, _MOST))
        return max(shortest, line, spared)

    def reading(self, now: float, started: float) -> float:
        """The time to show as present: it moves once a second since ``started``, on a slow line every five seconds."""
        step = _READING_ON_SLOW_LINES if self.low_bandwidth else _READING
        return started + math.floor((now - started) / step) * step if now > started else now
