"""The epoch under way: the order of its batches, what becomes of each, and the figures gathered so far."""

from __future__ import annotations

import torch

from fxtui.engine.data.batch_order import Rows, epoch_batches
from fxtui.engine.features.feeds import Batch
from fxtui.engine.metrics.batch_meter import BatchMeter
from fxtui.engine.training.parts import TrainingParts


class Epoch:
    """Trains batch by batch, and keeps count of where it is in the progress of the run."""

    def __init__(self, parts: TrainingParts) -> None:
        self._parts = parts
        self._order: list[Rows] = []
        self.meter = self._new_meter()

    @property
    def left(self) -> list[Rows]:
        """The rows of the batches that are still to come."""
        return self._order[self._parts.progress.batch :]

    def begin(self) -> None:
        """Draw the order of the epoch that comes next, or is under way."""
        run, progress = self._parts.run, self._parts.progress
        self._order = epoch_batches(run.images.train, run.config.seed, progress.epoch, run.config.train.batch_size)
        self.meter = self._new_meter()

    def end(self) -> None:
        """Its figures have been taken; those of the next one begin."""
        self.meter = self._new_meter()

    def train(self, batch: Batch) -> None:
        """Take in the next batch; where it is the last of those that are accumulated, the weights move."""
        parts = self._parts
        progress, count = parts.progress, parts.config.accumulate
        at = progress.batch % count
        together = self._order[progress.batch - at : progress.batch - at + count]
        if len(batch.labels):
            # As if all that is gathered for an update were one batch, the shorter last group of an epoch included.
            share = self._weight(together[at]) / sum(map(self._weight, together)) if len(together) > 1 else 1.0
            taken = parts.stepper.gather(parts.boundary.cut.train, batch, share)
            self.meter.add(taken.loss, taken.hits, len(batch.labels))
        if at + 1 == len(together):
            self._update()
        progress.batch += 1
        progress.step += 1
        self.report()

    def report(self, force: bool = False) -> None:
        """Say the figures of what was trained since the last time, if it is time or ``force``.

        Raises:
            NonFiniteLossError: a loss is no finite number.
        """
        progress = self._parts.progress
        self.meter.report(progress.step, progress.batch, self._parts.optimization.head_lr, force)

    def seconds(self) -> float:
        """Seconds that the epoch has taken, those before a checkpoint included."""
        return self._parts.progress.seconds + self._parts.clock.epoch_seconds()

    def _update(self) -> None:
        parts = self._parts
        watching = parts.layers.begin_update()
        figures = parts.stepper.update(parts.progress.step, measure=watching)
        if parts.average:
            parts.average.update()
        if figures is not None:
            parts.layers.end_update(parts.progress.step + 1, figures)

    def _weight(self, rows: Rows) -> float:
        """What these images count for in a mean."""
        run = self._parts.run
        return float(self._parts.stepper.weight_of(torch.from_numpy(run.images.labels[rows]).to(run.device)))

    def _new_meter(self) -> BatchMeter:
        parts = self._parts
        return BatchMeter(parts.progress.epoch + 1, len(self._order) or parts.batches, parts.emit)
