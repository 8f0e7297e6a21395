"""Questions about images while a run trains: what the weights that validate make of them."""

from __future__ import annotations

from collections.abc import Callable

from fxtui.engine.data.rows import ImageRows
from fxtui.engine.metrics.progress import Progress
from fxtui.engine.metrics.tally import Evaluated
from fxtui.engine.predicting.image_trace import Autocast, FromCache, ImageTracer, Weights
from fxtui.protocol.events import Event

# Images named in an evaluation that nobody asked for.
_IMAGES_SAID = 200


class WhileTraining:
    """Says predictions and the last epoch's evaluation."""

    def __init__(
        self, tracer: ImageTracer, images: ImageRows, progress: Progress, emit: Callable[[Event], None]
    ) -> None:
        self._tracer = tracer
        self._images = images
        self._progress = progress
        self._emit = emit
        self._last: Evaluated | None = None
        self._said = True

    def take(self, evaluated: Evaluated, *, say: bool) -> None:
        """An epoch has been validated; it is said at once, or at the end if none comes after it."""
        self._last, self._said = evaluated, False
        if say:
            self.say_rest()

    def say_rest(self) -> None:
        """Say the last epoch's evaluation unless it has been said."""
        if not self._said:
            self.evaluate(_IMAGES_SAID)
            self._said = True

    def evaluate(self, limit: int) -> bool:
        """Say the last epoch's evaluation with so many images; False before there is one."""
        if self._last is not None:
            self._emit(self._last.event(self._progress.epoch, limit))
        return self._last is not None

    def predict(self, asked: tuple[int | str, ...], autocast: Autocast, from_cache: FromCache) -> None:
        """Say what the model makes of these images; nothing of it is changed.

        Raises:
            ConfigError: there is no such image, or it cannot be read.
        """
        progress = self._progress
        weights = Weights(progress.epoch + (progress.batch > 0), progress.step, "live")
        for prediction in self._tracer.trace_all(asked, self._images, weights, autocast, from_cache):
            self._emit(prediction)
