"""The training loop: batches from a feed, the suffix behind the frontier, and commands obeyed before every batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from fxtui.engine.devices import synchronize
from fxtui.engine.predicting.while_training import WhileTraining
from fxtui.engine.training.epoch import Epoch
from fxtui.engine.training.epoch_end import EpochEnd, validated
from fxtui.engine.training.keeping import Keeping
from fxtui.engine.training.parts import TrainingParts
from fxtui.engine.training.plan import Plan

# How a run that had nothing left to do went on: it came to its end, with what was changed meanwhile, or trains more.
Held = Literal["ended", "changed", "goes on"]


class StopNowError(Exception):
    """The user wants the run to end between these two batches."""

    def __init__(self, interrupted: bool) -> None:
        self.interrupted = interrupted


class TrainingLoop:
    """Trains epoch after epoch, from the run's start or from where its checkpoint was taken."""

    def __init__(
        self,
        parts: TrainingParts,
        epoch: Epoch,
        epoch_end: EpochEnd,
        plan: Plan,
        keeping: Keeping,
        answers: WhileTraining,
    ) -> None:
        self._parts = parts
        self._epoch = epoch
        self._epoch_end = epoch_end
        self._plan = plan
        self._keeping = keeping
        self._answers = answers

    def run(self, obey: Callable[[], bool], hold: Callable[[], Held]) -> None:
        """Train until the planned epochs are done or the user has it stop after one, and nobody wants more of it.

        ``obey`` is called before every batch and after every epoch, carries out what commands wait, and returns
        whether the freeze boundary moved. ``hold`` is called when what was planned is done and everything is saved; it
        may wait, and says how it went on.

        Raises:
            StopNowError: a command ends the run between two batches.
            NonFiniteLossError: the loss is no number any more; the last good state is kept.
        """
        parts = self._parts
        timings = parts.clock.timings
        parts.layers.say()
        while True:
            obey()
            if self._plan.is_done:
                self._save()
                held = hold()
                if held == "changed":
                    self._save()
                if held != "goes on":
                    return
            parts.clock.begin_epoch()
            started = time.monotonic()
            self._train_epoch(obey)
            trained = time.monotonic()
            evaluated = validated(parts)
            timings["train"] += trained - started
            timings["validate"] += time.monotonic() - trained
            self._epoch_end.take(evaluated)

    def _save(self) -> None:
        """Say and keep how everything stands; commands may have been carried out since the last epoch's end."""
        parts = self._parts
        final = parts.progress.final
        parts.layers.look(force=True)
        parts.layers.say()
        self._answers.say_rest()
        self._keeping.keep(final.val_accuracy if final else None)
        self._keeping.flush()

    def _train_epoch(self, obey: Callable[[], bool]) -> None:
        parts, epoch = self._parts, self._epoch
        progress, boundary = parts.progress, parts.boundary
        if progress.batch == 0:
            progress.left_out = tuple(sorted(parts.run.images.broken))
            epoch.begin()
        boundary.use_threads()
        began = progress.batch
        while rows := epoch.left:
            for batch in boundary.feed.batches(rows, progress.epoch):
                # The epoch's first batch has had its turn already, before the epoch was begun.
                if progress.batch != began:
                    if obey():
                        # The frontier moved: what the old feed has ready no longer fits the suffix.
                        epoch.meter.restart_clock()
                        began = progress.batch
                        break
                    self._keeping.keep_if_due()
                epoch.train(batch)
        epoch.report(force=True)
        synchronize(parts.run.device)
