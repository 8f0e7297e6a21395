"""The learning rate's multiplier as a pure function of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from fxtui.config import Schedule

# A plateau schedule lowers the rate by this factor after so many epochs without a better validation loss.
PLATEAU_FACTOR = 0.3
_ONE_CYCLE_RISE = 0.3
_ONE_CYCLE_START = 1 / 25
_ONE_CYCLE_END = 1 / 25e4


@dataclass(frozen=True, slots=True)
class Anchor:
    """From ``step`` on, the schedule's progress goes from ``value`` to 1 in ``horizon`` steps.

    In a plateau schedule ``value`` is the factor that holds from ``step`` on.
    """

    step: int
    horizon: int
    value: float


@dataclass(frozen=True, slots=True)
class LrSchedule:
    """A multiplier of the learning rate by step; a change of the horizon adds an anchor, so that nothing jumps."""

    kind: Schedule
    anchors: tuple[Anchor, ...]

    def progress(self, step: int) -> float:
        """How far the schedule has come at a step, from 0 to 1."""
        anchor = self._anchor(step)
        if anchor.horizon <= 0:
            return 1.0
        return min(1.0, anchor.value + (1 - anchor.value) * (step - anchor.step) / anchor.horizon)

    def multiplier(self, step: int) -> float:
        """The factor on the base rate at a step.

        Cosine: Loshchilov & Hutter 2017 (arXiv:1608.03983), without restarts. One-cycle: Smith & Topin 2017
        (arXiv:1708.07120), a rise over the first 30 % from 1/25, then a cosine fall to 1/250,000.
        """
        if self.kind == "plateau":
            return self._anchor(step).value
        p = self.progress(step)
        if self.kind == "cosine":
            return _cosine(1.0, 0.0, p)
        if self.kind == "onecycle":
            if p < _ONE_CYCLE_RISE:
                return _cosine(_ONE_CYCLE_START, 1.0, p / _ONE_CYCLE_RISE)
            return _cosine(1.0, _ONE_CYCLE_END, (p - _ONE_CYCLE_RISE) / (1 - _ONE_CYCLE_RISE))
        return 1.0

    def lowered(self, step: int) -> LrSchedule:
        """A plateau schedule with its factor multiplied by 0.3 from a step on."""
        return replace(self, anchors=(*self.anchors, Anchor(step, 0, self._anchor(step).value * PLATEAU_FACTOR)))

    def rescaled(self, step: int, total: int) -> LrSchedule:
        """The same schedule, to be at its end after ``total`` steps instead, continued from where it is.

        Where it is at its end already, what is added is a new cycle from its beginning: at the end of a cosine or of a
        one-cycle there is no rate left to train with.
        """
        if self.kind == "plateau":
            return self
        value = self.progress(step)
        return replace(self, anchors=(*self.anchors, Anchor(step, total - step, value if value < 1 else 0.0)))

    def waiting_anew(self, step: int) -> LrSchedule:
        """A plateau schedule that begins to wait at a step, at the factor it has; any other as it is."""
        if self.kind != "plateau":
            return self
        return replace(self, anchors=(*self.anchors, Anchor(step, 0, self._anchor(step).value)))

    def _anchor(self, step: int) -> Anchor:
        return next(a for a in reversed(self.anchors) if a.step <= step or a is self.anchors[0])


def _cosine(start: float, end: float, p: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * p)) / 2
