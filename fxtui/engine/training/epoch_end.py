"""The end of an epoch: validated, told, its consequences drawn, kept."""

from __future__ import annotations

import math

from msgspec import structs

from fxtui.engine.data.batch_order import plain_batches
from fxtui.engine.freezing.modes import eval_mode
from fxtui.engine.metrics.batch_meter import NonFiniteLossError
from fxtui.engine.metrics.observation import observe
from fxtui.engine.metrics.tally import Evaluated, Tally, validate
from fxtui.engine.predicting.while_training import WhileTraining
from fxtui.engine.training.epoch import Epoch
from fxtui.engine.training.keeping import Keeping
from fxtui.engine.training.parts import TrainingParts
from fxtui.engine.training.plan import Plan
from fxtui.protocol import events as ev

_VALIDATION_BATCH = 256


def validated(parts: TrainingParts) -> Evaluated:
    """The figures of the validation images, by the weights that validate."""
    run, boundary = parts.run, parts.boundary
    rows = run.images.val
    size = run.config.data.batch_size if boundary.computes_images else _VALIDATION_BATCH
    tally = Tally(len(run.images.source.classes), run.device)

    def say(done: int) -> None:
        parts.emit(ev.ValidationProgress(epoch=parts.progress.epoch + 1, done=done, total=len(rows)))

    with parts.averaged(), eval_mode(run.model):
        batches = boundary.feed.batches(plain_batches(rows, size))
        return validate(boundary.cut.evaluate, batches, tally, parts.stepper.autocast, say)


class EpochEnd:
    """Takes in what an epoch has come to."""

    def __init__(
        self, parts: TrainingParts, epoch: Epoch, plan: Plan, keeping: Keeping, answers: WhileTraining
    ) -> None:
        self._parts = parts
        self._epoch = epoch
        self._plan = plan
        self._keeping = keeping
        self._answers = answers

    def take(self, evaluated: Evaluated) -> None:
        """The epoch has been trained and validated.

        Raises:
            NonFiniteLossError: the validation loss is no number.
        """
        parts, meter = self._parts, self._epoch.meter
        progress = parts.progress
        if not math.isfinite(evaluated.loss):
            raise NonFiniteLossError(evaluated.loss, progress.step)
        history, seconds = list(progress.history), self._epoch.seconds()
        figures = ev.EpochFigures(
            epoch=progress.epoch + 1,
            train_loss=meter.loss,
            train_accuracy=meter.accuracy,
            val_loss=evaluated.loss,
            val_accuracy=evaluated.accuracy,
        )
        best = progress.end_epoch(figures)
        parts.emit(
            ev.EpochEnd(
                **structs.asdict(figures),
                step=progress.step,
                lr=parts.optimization.head_lr,
                seconds=seconds,
                observation=observe(history, progress.history[-1], len(parts.run.images.val)),
                best=best,
            )
        )
        self._plan.adapt()
        self._answers.take(evaluated, say=best)
        self._epoch.end()
        self._keeping.keep(evaluated.accuracy, best)
