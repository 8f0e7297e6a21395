"""The training loop: batches from a feed, the suffix behind the frontier, and commands obeyed before every batch."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable

import torch
from msgspec import structs

from fxtui.config import RunConfig
from fxtui.engine.backbones.load import LoadedModel
from fxtui.engine.checkpoints.resume import Resumed
from fxtui.engine.checkpoints.snapshot import Saving
from fxtui.engine.checkpoints.writer import CheckpointWriter
from fxtui.engine.costs.of_change import Present, estimate
from fxtui.engine.data.batch_order import Rows, epoch_batches, plain_batches
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.devices import synchronize
from fxtui.engine.features.bank import FeatureBank
from fxtui.engine.features.boundary import Boundary
from fxtui.engine.features.feeds import Batch
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.layers.watch import LayerWatch
from fxtui.engine.metrics.batch_meter import BatchMeter, NonFiniteLossError
from fxtui.engine.metrics.observation import observe
from fxtui.engine.metrics.pace import Pace
from fxtui.engine.metrics.progress import Progress
from fxtui.engine.metrics.tally import Evaluated, Tally, validate
from fxtui.engine.optimization.optimizer import Optimization
from fxtui.engine.optimization.step import Stepper, balanced_weights, trains_convolutions
from fxtui.engine.optimization.weight_average import WeightAverage
from fxtui.engine.predicting.image_trace import Tracer
from fxtui.engine.predicting.while_training import WhileTraining
from fxtui.engine.tracing.trace import eval_mode
from fxtui.machine.cpu import cpu_count
from fxtui.protocol import events as ev
from fxtui.protocol.commands import FreezeCommand
from fxtui.run.costs import cost_sentence

_VALIDATION_BATCH = 256
_MEASURE_SECONDS = 1.0
_MEASURE_SHARE = 0.05


class StopNowError(Exception):
    """The user wants the run to end between these two batches."""

    def __init__(self, interrupted: bool) -> None:
        self.interrupted = interrupted


class Trainer:
    """Trains one model, from its start or from a checkpoint.

    The model, the freezing and the images must already be as the checkpoint has them.
    """

    def __init__(
        self,
        config: RunConfig,
        loaded: LoadedModel,
        freezing: Freezing,
        images: ImageRows,
        bank: FeatureBank,
        keeper: CheckpointWriter,
        device: torch.device,
        outputs: dict[str, ev.Shape],
        emit: Callable[[ev.Event], None],
        resumed: Resumed | None = None,
    ) -> None:
        self.config = config
        self.freezing = freezing
        self.keeper = keeper
        self.pace = Pace()
        self.emit = self.pace.watching(emit)
        self.progress = resumed.progress if resumed else Progress(epochs=config.train.epochs)
        self.stop_after_epoch = False
        self.stop_reason = ""
        self.timings = {"extract": 0.0, "train": 0.0, "validate": 0.0}
        self._model = loaded.module
        self._images = images
        self._device = device
        # Seconds spent otherwise than in training, since the start.
        self.away = 0.0
        self._measure_next = 0.0
        self._epoch_started = time.monotonic()
        self._order: list[Rows] = []
        tracer = Tracer(self._model, loaded.head, images.preprocessing, device)
        self.answers = WhileTraining(tracer, images, self.progress, self.emit)
        started = time.monotonic()
        self.boundary = Boundary(self._model, freezing, bank)
        self.timings["extract"] = time.monotonic() - started
        self.optimization = Optimization(self._model, freezing, config.train, self.progress.epochs * self.batches)
        weights = None
        if config.train.class_weights == "balanced":
            labels = torch.from_numpy(images.labels[images.train])
            weights = balanced_weights(labels, len(images.source.classes)).to(device)
        self.stepper = Stepper(
            self.optimization, config.train, device, weights, lambda text: self.emit(ev.RunWarning(text=text))
        )
        self._average = WeightAverage(self._model, config.train.ema) if config.train.ema else None
        self.layers = LayerWatch(self._model, freezing, self.optimization, outputs, self.emit)
        self._meter = self._begin_meter()
        self._settle()
        self._saving = Saving(
            keeper=keeper,
            images=images,
            device=device,
            weights=loaded.weights,
            progress=self.progress,
            freezing=freezing,
            boundary=self.boundary,
            optimization=self.optimization,
            stepper=self.stepper,
            average=self._average,
            timings=self.timings,
            emit=self.emit,
        )
        if resumed:
            self._begin_epoch()
            self._meter.restore(resumed.state["meter"])
            self._saving.restore(resumed)
        else:
            # Dropout draws from the global generator; seeded here, a run does not depend on what loading drew.
            torch.manual_seed(config.seed)

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return len(epoch_batches(self._images.train, 0, 0, self.config.train.batch_size))

    def run(self, obey: Callable[[], bool]) -> None:
        """Train until the planned epochs are done or the user has it stop after one.

        ``obey`` is called before every batch and after every epoch, carries out what commands wait, and returns
        whether the freeze boundary moved.

        Raises:
            StopNowError: a command ends the run between two batches.
            NonFiniteLossError: the loss is no number any more; the last good state is kept.
        """
        self.layers.say()
        progress = self.progress
        while True:
            obey()
            if progress.batch == 0 and progress.epoch > 0 and self._is_last():
                break
            self._epoch_started = started = time.monotonic()
            self._train_epoch(obey)
            trained = time.monotonic()
            evaluated = self._validate()
            now = time.monotonic()
            self.timings["train"] += trained - started
            self.timings["validate"] += now - trained
            self._end_epoch(evaluated)
        self.layers.look(force=True)
        self.layers.say()
        self.answers.say_rest()
        # Once more: commands may have been carried out since the last epoch's end.
        self._keep(progress.final.val_accuracy if progress.final else None)
        self.keeper.flush()

    def change_freezing(self, trainable: frozenset[str], origin: str) -> str:
        """Move the freeze boundary, all or nothing, and return a sentence about it.

        Raises:
            CommandRefusedError: nothing would change.
        """
        return self._transact(lambda: self.freezing.change_to(trainable), self.freezing.undo, origin)

    def undo_freezing(self) -> str:
        """Go back to the freezing before the last change.

        Raises:
            CommandRefusedError: there was no change.
        """
        present = self.freezing.trainable

        def take_back() -> None:
            self.freezing.change_to(present)

        return f"{self._transact(self.freezing.undo, take_back, 'undo')}; weights stay as they were trained"

    def estimate(self, change: FreezeCommand) -> str:
        """Say what a change of freezing would cost, without making it, and return a sentence about it.

        Raises:
            CommandRefusedError: the change itself would be refused.
        """
        present = Present(
            model=self._model,
            freezing=self.freezing,
            config=self.config.train,
            images=self._images,
            bank=self.boundary.bank,
            device=self._device,
            cut=self.boundary.cut,
            feed=self.boundary.feed,
            pace=self.pace,
        )
        found, gained, lost = estimate(change, present)
        self.emit(found)
        return cost_sentence(found, gained, lost)

    def predict(self, asked: tuple[int | str, ...]) -> None:
        """Say what the weights that validate make of these images; nothing of the training is touched.

        Raises:
            ConfigError: there is no such image, or it cannot be read.
        """
        torch.set_num_threads(cpu_count())
        try:
            with self._averaged():
                self.answers.predict(asked, self.stepper.autocast, self.boundary.logits)
        finally:
            self.boundary.use_threads()

    def checkpoint(self) -> None:
        """Write the state between these two batches as ``last``."""
        self._keep()
        self.keeper.flush()

    def set_epochs(self, epochs: int) -> None:
        """Plan another number of epochs; the learning rate schedule is stretched or shortened from here on."""
        # What waits to be written is from before the command; on disk it must come before it, too.
        self.keeper.flush()
        before, self.progress.epochs = self.progress.epochs, epochs
        optimization, step = self.optimization, self.progress.step
        optimization.schedule = optimization.schedule.rescaled(step, epochs * self.batches)
        self.emit(ev.EpochsChanged(before=before, after=epochs))

    def set_lr(self, lr: float) -> None:
        """Set the head's learning rate; every group keeps its ratio to it."""
        self.keeper.flush()
        self.optimization.base_lr = lr
        self.optimization.set_rates(self.progress.step)
        self.layers.say()

    def discount(self, seconds: float) -> None:
        """Leave out time spent otherwise than in training from the epoch's."""
        self.away += seconds
        self._epoch_started += seconds

    def _is_last(self) -> bool:
        return self.progress.epoch >= self.progress.epochs or self.stop_after_epoch

    def _train_epoch(self, obey: Callable[[], bool]) -> None:
        progress = self.progress
        if progress.batch == 0:
            progress.left_out = tuple(sorted(self._images.broken))
            self._begin_epoch()
        self.boundary.use_threads()
        began = progress.batch
        while progress.batch < len(self._order):
            for batch in self.boundary.feed.batches(self._order[progress.batch :], progress.epoch):
                # The epoch's first batch has had its turn already, before the epoch was begun.
                if progress.batch != began and obey():
                    # The frontier moved: what the old feed has ready no longer fits the suffix.
                    self._meter.restart_clock()
                    began = progress.batch
                    break
                self._train_batch(batch)
        self._report(force=True)
        synchronize(self._device)

    def _train_batch(self, batch: Batch) -> None:
        progress, count = self.progress, self.config.train.accumulate
        at = progress.batch % count
        together = self._order[progress.batch - at : progress.batch - at + count]
        if len(batch.labels):
            # As if all that is gathered for an update were one batch, the shorter last group of an epoch included.
            share = self._weight(together[at]) / sum(map(self._weight, together)) if len(together) > 1 else 1.0
            taken = self.stepper.gather(self.boundary.cut.train, batch, share)
            self._meter.add(taken.loss, taken.hits, len(batch.labels))
        if at + 1 == len(together):
            self._update()
        progress.batch += 1
        progress.step += 1
        self._report()

    def _weight(self, rows: Rows) -> float:
        """What these images count for in a mean."""
        return float(self.stepper.weight_of(torch.from_numpy(self._images.labels[rows]).to(self._device)))

    def _update(self) -> None:
        started = time.monotonic()
        figures = self.stepper.update(self.progress.step, measure=started >= self._measure_next)
        if self._average:
            self._average.update()
        if figures is not None:
            self.layers.say_figures(self.progress.step + 1, figures)
            self.layers.look()
            now = time.monotonic()
            self._measure_next = now + max(_MEASURE_SECONDS, (now - started) / _MEASURE_SHARE)

    def _validate(self) -> Evaluated:
        rows, boundary = self._images.val, self.boundary
        size = self.config.data.batch_size if boundary.computes_images else _VALIDATION_BATCH
        tally = Tally(len(self._images.source.classes), self._device)

        def say(done: int) -> None:
            self.emit(ev.ValidationProgress(epoch=self.progress.epoch + 1, done=done, total=len(rows)))

        with self._averaged(), eval_mode(self._model):
            batches = boundary.feed.batches(plain_batches(rows, size))
            return validate(boundary.cut.evaluate, batches, tally, self.stepper.autocast, say)

    def _end_epoch(self, evaluated: Evaluated) -> None:
        progress, meter = self.progress, self._meter
        if not math.isfinite(evaluated.loss):
            raise NonFiniteLossError(evaluated.loss, progress.step)
        history, seconds = list(progress.history), self._epoch_seconds()
        figures = ev.EpochFigures(
            epoch=progress.epoch + 1,
            train_loss=meter.loss,
            train_accuracy=meter.accuracy,
            val_loss=evaluated.loss,
            val_accuracy=evaluated.accuracy,
        )
        best = progress.end_epoch(figures)
        self.emit(
            ev.EpochEnd(
                **structs.asdict(figures),
                step=progress.step,
                lr=self.optimization.head_lr,
                seconds=seconds,
                observation=observe(history, progress.history[-1], len(self._images.val)),
                best=best,
            )
        )
        self._adapt()
        self.answers.take(evaluated, say=best)
        self._meter = self._begin_meter()
        self._keep(evaluated.accuracy, best)

    def _adapt(self) -> None:
        """Lower the rate on a plateau and stop early, where the configuration asks for it."""
        progress, patience = self.progress, self.config.train.early_stop
        losses = [figures.val_loss for figures in progress.history]
        if text := self.optimization.lower_on_plateau(losses, progress.step, self.batches):
            self.emit(ev.RunWarning(text=text))
        if patience and progress.since_best >= patience and progress.epoch < progress.epochs:
            self.stop_reason = f"no better epoch than {progress.epoch - progress.since_best} for {patience} epochs"
            self.stop_after_epoch = True

    def _transact(self, change: Callable[[], None], take_back: Callable[[], None], origin: str) -> str:
        started = time.monotonic()
        self.keeper.flush()
        before = self.freezing.trainable
        try:
            self.boundary.move(change, take_back)
        finally:
            self.timings["extract"] += time.monotonic() - started
        self.optimization.sync(self.progress.step)
        if self._average:
            self._average.sync()
        self._settle()
        after = self.freezing.trainable
        text = self.freezing.describe_change(before, after)
        rows, trainable = self.layers.changes()
        self.emit(
            ev.FreezeChanged(
                before=self.freezing.describe(before),
                after=self.freezing.describe(after),
                origin=origin,
                text=text,
                epoch=self.progress.epoch + 1,
                step=self.progress.step,
                rows=rows,
                trainable_parameters=trainable,
            )
        )
        self.discount(time.monotonic() - started)
        return text

    def _settle(self) -> None:
        """Fit everything to the cut that is new."""
        self.stepper.choose_precision(trains_convolutions(self._model))
        self.boundary.use_threads()
        self.layers.settle()
        self._measure_next = 0.0
        self._announce_stages()

    def _begin_epoch(self) -> None:
        self._order = epoch_batches(
            self._images.train, self.config.seed, self.progress.epoch, self.config.train.batch_size
        )
        self._meter = self._begin_meter()

    def _begin_meter(self) -> BatchMeter:
        return BatchMeter(self.progress.epoch + 1, len(self._order) or self.batches, self.emit)

    def _report(self, force: bool = False) -> None:
        self._meter.report(self.progress.step, self.progress.batch, self.optimization.head_lr, force)

    def _epoch_seconds(self) -> float:
        return self.progress.seconds + time.monotonic() - self._epoch_started

    def _averaged(self) -> contextlib.AbstractContextManager[None]:
        return self._average.applied() if self._average else contextlib.nullcontext()

    def _announce_stages(self) -> None:
        images, cut = self._images, self.boundary.cut
        train, val, classes = len(images.train), len(images.val), len(images.source.classes)
        size = images.preprocessing.crop
        shape = cut.tensors[0].image_shape
        for stage, before, after in (
            ("features", (len(images), 3, size, size), (len(images), *shape)),
            ("train", (train, *shape), (train, classes)),
            ("validate", (val, *shape), (val, classes)),
        ):
            self.emit(ev.PipelineStage(stage=stage, shape_in=before, shape_out=after))  # type: ignore[arg-type]

    def _keep(self, accuracy: float | None = None, best: bool = False) -> None:
        under_way = self.progress.batch > 0
        if under_way:
            self._report(force=True)
        self._saving.keep(self._meter.state(), self._epoch_seconds() if under_way else 0.0, accuracy, best)
