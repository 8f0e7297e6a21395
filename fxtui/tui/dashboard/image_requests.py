"""What a screen that shows images has to ask the engine, and when: seldom, and one thing at a time."""

from __future__ import annotations

from collections.abc import Callable

from fxtui.protocol import commands as cmd
from fxtui.protocol.events import Prediction
from fxtui.run.state import RunState

# Seconds between two evaluations asked for while training goes on, and after which an answer is given up.
_EVALUATION_SECONDS = 3.0
_PATIENCE_SECONDS = 5.0
_IMAGES = 1000


class ImageRequests:
    """``clock`` gives seconds from any start; ``between`` are the seconds between two traces of images at the least."""

    def __init__(self, clock: Callable[[], float], between: float = 0.0) -> None:
        self._clock = clock
        self._between = between
        self._evaluation_asked = float("-inf")
        self._evaluation_epoch = -1
        self._asked: tuple[int, int, bool] | None = None
        self._known: Prediction | None = None
        self._asked_at = float("-inf")

    def next_evaluation(self, state: RunState) -> cmd.Evaluate | None:
        """The evaluation of the last epoch, unless it is known or has been asked for just now."""
        now = self._clock()
        if not state.epochs or now - self._evaluation_asked < _EVALUATION_SECONDS:
            return None
        known = state.evaluation
        lacking = known is None or len(known.images) < min(sum(known.support), _IMAGES)
        stale = not state.ended and known is not None and known.epoch < len(state.epochs)
        if stale or (lacking and self._evaluation_epoch < len(state.epochs)):
            self._evaluation_asked, self._evaluation_epoch = now, len(state.epochs)
            return cmd.Evaluate(limit=_IMAGES)
        return None

    def next_image(self, state: RunState, number: int, epoch: int) -> cmd.Predict | None:
        """The trace of a validation image, once for each epoch that it is to be of, and once more after the end.

        None while the answer to the last question is awaited; a question that stays without one is asked again.
        """
        now = self._clock()
        key = (number, epoch, state.ended)
        since = now - self._asked_at
        if self._asked is not None:
            answered = state.predictions.get(f"val #{self._asked[0]}") is not self._known
            if since < (self._between if answered else _PATIENCE_SECONDS) and key[2] == self._asked[2]:
                return None
            if answered and key == self._asked:
                return None
        self._asked, self._asked_at = key, now
        self._known = state.predictions.get(f"val #{number}")
        return cmd.Predict(images=(number,))
