"""When a run has something to say to a user who looks elsewhere: read off its events and the clock, nothing else."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Literal

from fxtui.protocol import events as ev
from fxtui.text import numbers as fmt

Kind = Literal["holding", "finished", "stopped", "failed", "stalled", "nan", "disk"]

# A run stalls where nothing of it is done for so many times its own pace, and for so long at the least.
STALL_TIMES, STALL_SECONDS = 20.0, 60.0
# The pace is the median of the last signs of work, once there are some.
_GAPS, _FEWEST_GAPS = 20, 3
# Who looks seldom was kept from looking, e.g. by a sleeping machine: that is no time in which the run could work.
_AWAY_SECONDS = 10.0
# The disk is nearly full where it has no room for so many checkpoints, nor so many bytes; told anew once it had more.
_CHECKPOINTS, _LEAST_BYTES = 3, 256 << 20

_SIGNS = (ev.BatchEnd, ev.ValidationProgress, ev.ExtractionProgress, ev.EpochEnd)
_WAITS = (ev.RunPaused, ev.RunHolding, ev.RunFinished)
# What trains is another, so that its pace is, too.
_ANEW = (ev.FreezeChanged, ev.RunResumed, ev.CacheReady, ev.RunContinued)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: of what kind, in one line, and the event that it stands on."""

    kind: Kind
    text: str
    event: ev.Event


class Occasions:
    """Takes in a run's events and the time at which they came, in seconds of a clock that never goes back."""

    def __init__(self, now: float) -> None:
        self._gaps: deque[float] = deque(maxlen=_GAPS)
        self._sign: float | None = None
        self._looked = now
        self._stalled = self._nan = self._full = False
        self._checkpoint_bytes = 0

    def take(self, event: ev.Event, now: float) -> Notice | None:
        """What an event gives occasion to say."""
        self._stand_by(event, now)
        match event:
            case ev.RunHolding():
                best = f", best {fmt.accuracy(event.best.val_accuracy)} @{event.best.epoch}" if event.best else ""
                return Notice("holding", f"holding: {event.reason}{best}", event)
            case ev.RunFinished():
                best = f"best {fmt.accuracy(event.best.val_accuracy)} @{event.best.epoch}" if event.best else ""
                text = ", ".join(filter(None, (event.reason, best)))
                return Notice(event.status, f"{event.status}: {text}" if text else event.status, event)
            case ev.BatchEnd(loss=None) if not self._nan:
                self._nan = True
                return Notice("nan", f"loss is no number at step {event.step}", event)
            case ev.BatchEnd(loss=float()):
                self._nan = False
            case ev.CheckpointSaved():
                self._checkpoint_bytes = event.bytes
        return None

    def look(self, now: float, disk_free: int | None = None) -> Notice | None:
        """What the time gives occasion to say; to be asked every second or so. ``disk_free``: bytes, where known."""
        if now - self._looked > _AWAY_SECONDS and self._sign is not None:
            self._sign = min(now, self._sign + now - self._looked)
        self._looked = now
        if disk_free is not None:
            least = max(_CHECKPOINTS * self._checkpoint_bytes, _LEAST_BYTES)
            if disk_free < least and not self._full:
                self._full = True
                text = f"the disk of this run is nearly full: {fmt.size(disk_free)} left"
                return Notice("disk", text, ev.RunWarning(text=text))
            self._full = self._full and disk_free < 1.5 * least
        patience = self.patience
        if self._stalled or patience is None or self._sign is None or now - self._sign <= patience:
            return None
        self._stalled = True
        usual = fmt.roughly(median(self._gaps))
        text = f"stalled: no batch for {fmt.whole_seconds(now - self._sign)}, where one took {usual}"
        return Notice("stalled", text, ev.RunWarning(text=text))

    @property
    def patience(self) -> float | None:
        """After so many seconds without a sign of work the run stalls; None while its pace is not known or it waits."""
        if len(self._gaps) < _FEWEST_GAPS:
            return None
        return max(STALL_SECONDS, STALL_TIMES * median(self._gaps))

    def _stand_by(self, event: ev.Event, now: float) -> None:
        if isinstance(event, _WAITS):
            self._sign, self._stalled = None, False
        elif isinstance(event, _ANEW):
            self._gaps.clear()
            self._sign, self._stalled = now, False
        elif isinstance(event, _SIGNS):
            if self._sign is not None and not self._stalled:
                self._gaps.append(max(0.0, now - self._sign))
            self._sign, self._stalled = now, False
