"""The training loop: batches from a feed, the suffix behind the frontier, and commands obeyed between two batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from fxtui.config import RunConfig
from fxtui.engine.backbones.load import LoadedModel
from fxtui.engine.checkpoint import CheckpointInfo
from fxtui.engine.cores import cpu_count
from fxtui.engine.devices import synchronize
from fxtui.engine.evaluate import Evaluated, Tally
from fxtui.engine.features import FeatureBank
from fxtui.engine.feeds import Batch, Feed
from fxtui.engine.freezing import Freezing
from fxtui.engine.frontier import Cut, cut_model
from fxtui.engine.images import ImageRows
from fxtui.engine.keeper import Keeper, moving_names
from fxtui.engine.layers import layer_figures, layer_rows, layer_table, trainable_count
from fxtui.engine.meter import BatchMeter, NonFiniteLossError
from fxtui.engine.observe import Figures, observe
from fxtui.engine.optim import PLATEAU_EPOCHS, Optimization
from fxtui.engine.order import epoch_batches, plain_batches
from fxtui.engine.stepper import Stepper, balanced_weights
from fxtui.engine.tracing import eval_mode
from fxtui.run import events as ev

_SMALL_SUFFIX = 4_000_000
_VALIDATION_BATCH = 256
_MEASURE_SECONDS = 1.0


class StopNowError(Exception):
    """The user wants the run to end between these two batches."""

    def __init__(self, interrupted: bool) -> None:
        self.interrupted = interrupted


@dataclass(slots=True)
class Progress:
    """Where training stands: epochs done, batches done in the present epoch, batches in all; epochs planned."""

    epochs: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    since_best: int = 0
    history: list[Figures] = field(default_factory=list)
    best: ev.EpochFigures | None = None
    final: ev.EpochFigures | None = None


class Trainer:
    """Trains one model. ``obey`` is called between batches and carries out what commands wait."""

    def __init__(
        self,
        config: RunConfig,
        loaded: LoadedModel,
        freezing: Freezing,
        images: ImageRows,
        bank: FeatureBank,
        keeper: Keeper,
        device: torch.device,
        outputs: dict[str, ev.Shape],
        emit: Callable[[ev.Event], None],
    ) -> None:
        self.config = config
        self.freezing = freezing
        self.keeper = keeper
        self.emit = emit
        self.progress = Progress(epochs=config.train.epochs)
        self.stop_after_epoch = False
        self.stop_reason = ""
        self.timings = {"extract": 0.0, "train": 0.0, "validate": 0.0}
        self._model = loaded.module
        self._images = images
        self._bank = bank
        self._device = device
        self._outputs = outputs
        self._paused = 0.0
        self._measured = 0.0
        self._cut, self._feed = self._place_cut()
        self.optimization = Optimization(self._model, freezing, config.train, self.progress.epochs * self.batches)
        weights = None
        if config.train.class_weights == "balanced":
            labels = torch.from_numpy(images.labels[images.train])
            weights = balanced_weights(labels, len(images.source.classes)).to(device)
        self.stepper = Stepper(
            self.optimization, config.train, device, weights, lambda text: emit(ev.Warning(text=text))
        )
        self._prepare_suffix()
        self._announce_stages()

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return len(epoch_batches(self._images.train, 0, 0, self.config.train.batch_size))

    def run(self, obey: Callable[[], bool]) -> None:
        """Train until the planned epochs are done or the user has it stop after one.

        Raises:
            StopNowError: a command ends the run between two batches.
            NonFiniteLossError: the loss is no number any more; the last good state is kept.
        """
        self.emit_layers()
        # Dropout draws from the global generator; seeded here, a run does not depend on what was drawn while loading.
        torch.manual_seed(self.config.seed)
        progress = self.progress
        while progress.epoch < progress.epochs and not self.stop_after_epoch:
            started = time.monotonic()
            meter = self._train_epoch(obey)
            trained = time.monotonic()
            evaluated = self._validate()
            now = time.monotonic()
            self.timings["train"] += trained - started
            self.timings["validate"] += now - trained
            self._end_epoch(meter, evaluated, now - started - self._paused)
        self.keeper.flush()

    def change_freezing(self, trainable: frozenset[str], origin: str) -> str:
        """Move the freeze boundary, all or nothing, and return a sentence about it.

        Raises:
            FreezeError: nothing would change.
        """
        return self._transact(lambda: self.freezing.change_to(trainable), self.freezing.undo, origin)

    def undo_freezing(self) -> str:
        """Go back to the freezing before the last change.

        Raises:
            FreezeError: there was no change.
        """
        present = self.freezing.trainable

        def take_back() -> None:
            self.freezing.change_to(present)

        return self._transact(self.freezing.undo, take_back, "undo")

    def checkpoint(self) -> None:
        """Write the state between these two batches as ``last``."""
        self.keeper.keep(("last",), self._state(), self._info(None))
        self.keeper.flush()

    def set_epochs(self, epochs: int) -> None:
        """Plan another number of epochs; the learning rate schedule is stretched or shortened from here on."""
        before, self.progress.epochs = self.progress.epochs, epochs
        optimization, step = self.optimization, self.progress.step
        optimization.schedule = optimization.schedule.rescaled(step, epochs * self.batches)
        self.emit(ev.EpochsChanged(before=before, after=epochs))

    def emit_layers(self) -> None:
        """Say how every layer stands."""
        self.emit(layer_table(self._model, self.freezing, self.optimization.rates(), self._outputs))

    def discount_pause(self, seconds: float) -> None:
        """Leave out time spent paused from the epoch's."""
        self._paused += seconds

    def _train_epoch(self, obey: Callable[[], bool]) -> BatchMeter:
        progress, size = self.progress, self.config.train.batch_size
        order = epoch_batches(self._images.train, self.config.seed, progress.epoch, size)
        meter = BatchMeter(progress.epoch + 1, len(order), self.emit)
        self._paused = 0.0
        self._use_threads()
        while progress.batch < len(order):
            for batch in self._feed.batches(order[progress.batch :]):
                self._train_batch(batch, meter, last=progress.batch + 1 == len(order))
                if obey():
                    # The frontier moved: what the old feed would hand out next no longer fits the suffix.
                    meter.restart_clock()
                    break
        meter.report(progress.step, progress.batch, self.optimization.head_lr, force=True)
        synchronize(self._device)
        return meter

    def _train_batch(self, batch: Batch, meter: BatchMeter, last: bool) -> None:
        progress = self.progress
        progress.batch += 1
        if len(batch.labels):
            now = time.monotonic()
            measure = now - self._measured >= _MEASURE_SECONDS
            taken = self.stepper.take(self._cut.train, batch, progress.step, last, measure)
            meter.add(taken.loss, taken.hits, len(batch.labels))
            if taken.figures is not None:
                self._measured = now
                self.emit(ev.LayerFigures(step=progress.step + 1, figures=layer_figures(self._model, taken.figures)))
        progress.step += 1
        meter.report(progress.step, progress.batch, self.optimization.head_lr)

    def _validate(self) -> Evaluated:
        rows = self._images.val
        size = self.config.data.batch_size if self._computes_images() else _VALIDATION_BATCH
        tally = Tally(len(self._images.source.classes), self._device)
        done, reported = 0, time.monotonic()
        with eval_mode(self._model), torch.no_grad():
            for batch in self._feed.batches(plain_batches(rows, size)):
                if len(batch.labels):
                    with self.stepper.autocast():
                        logits = self._cut.evaluate(*batch.tensors)
                    tally.add(logits, batch.labels)
                done += len(batch.labels)
                if time.monotonic() - reported >= 0.1:
                    reported = time.monotonic()
                    self.emit(ev.ValidationProgress(epoch=self.progress.epoch + 1, done=done, total=len(rows)))
        return tally.result()

    def _end_epoch(self, meter: BatchMeter, evaluated: Evaluated, seconds: float) -> None:
        progress = self.progress
        if not torch.isfinite(torch.tensor(evaluated.loss)):
            raise NonFiniteLossError(evaluated.loss, progress.step)
        now = Figures(meter.loss, evaluated.loss, evaluated.accuracy)
        progress.epoch, progress.batch = progress.epoch + 1, 0
        progress.final = ev.EpochFigures(
            epoch=progress.epoch,
            train_loss=meter.loss,
            train_accuracy=meter.accuracy,
            val_loss=evaluated.loss,
            val_accuracy=evaluated.accuracy,
        )
        best = progress.best is None or evaluated.accuracy > progress.best.val_accuracy
        self.emit(
            ev.EpochEnd(
                epoch=progress.epoch,
                step=progress.step,
                train_loss=meter.loss,
                train_accuracy=meter.accuracy,
                val_loss=evaluated.loss,
                val_accuracy=evaluated.accuracy,
                lr=self.optimization.head_lr,
                seconds=seconds,
                observation=observe(progress.history, now, len(self._images.val)),
                best=best,
            )
        )
        progress.history.append(now)
        self._adapt(best)
        if best or progress.epoch >= progress.epochs or self.stop_after_epoch:
            self.emit(
                ev.Evaluation(
                    epoch=progress.epoch,
                    support=evaluated.support,
                    correct=evaluated.correct,
                    confusion=evaluated.pairs(),
                )
            )
        progress.best = progress.final if best else progress.best
        self.keeper.keep(("last", "best") if best else ("last",), self._state(), self._info(evaluated.accuracy))

    def _adapt(self, best: bool) -> None:
        """Lower the rate on a plateau and stop early, where the configuration asks for it."""
        progress, config, optimization = self.progress, self.config.train, self.optimization
        losses = [figures.val_loss for figures in progress.history]
        since = len(losses) - 1 - losses.index(min(losses))
        lowered = optimization.schedule.anchors[-1].step
        waited = min(since, (progress.step - lowered) // self.batches)
        if config.schedule == "plateau" and waited >= PLATEAU_EPOCHS:
            optimization.schedule = optimization.schedule.lowered(progress.step)
            factor = optimization.schedule.multiplier(progress.step)
            self.emit(ev.Warning(text=f"no better validation loss for {waited} epochs: learning rate x {factor:.3g}"))
        progress.since_best = 0 if best else progress.since_best + 1
        if config.early_stop and progress.since_best >= config.early_stop and progress.epoch < progress.epochs:
            self.stop_reason = (
                f"no better epoch than {progress.epoch - progress.since_best} for {config.early_stop} epochs"
            )
            self.stop_after_epoch = True

    def _transact(self, change: Callable[[], None], take_back: Callable[[], None], origin: str) -> str:
        self.keeper.flush()
        before, moved = self.freezing.trainable, moving_names(self._model)
        history = list(self.freezing.history)
        change()
        try:
            self._bank.weights_changed(moved)
            cut, feed = self._place_cut()
        except BaseException:
            take_back()
            self.freezing.history[:] = history
            raise
        self._cut, self._feed = cut, feed
        self.optimization.sync(self.progress.step)
        self._prepare_suffix()
        self._use_threads()
        self._announce_stages()
        text = self._describe_change(before, self.freezing.trainable)
        self.emit(
            ev.FreezeChanged(
                before=self.freezing.describe(before),
                after=self.freezing.describe(self.freezing.trainable),
                origin=origin,
                text=text,
                epoch=self.progress.epoch + 1,
                step=self.progress.step,
                rows=layer_rows(self._model, self.freezing, self.optimization.rates(), self._outputs),
                trainable_parameters=trainable_count(self._model),
            )
        )
        return text

    def _describe_change(self, before: frozenset[str], after: frozenset[str]) -> str:
        counts = {name: parameter.numel() for name, parameter in self._model.named_parameters()}
        parts = []
        if gained := after - before:
            names = ", ".join(self.freezing.describe(gained))
            parts.append(f"{names} trains: {sum(counts[n] for n in gained):,} more parameters (z undoes)")
        if lost := before - after:
            names = ", ".join(self.freezing.describe(lost))
            parts.append(f"{names} frozen again, its optimizer state is gone")
        return "; ".join(parts)

    def _place_cut(self) -> tuple[Cut, Feed]:
        started = time.monotonic()
        torch.set_num_threads(cpu_count())
        cut = cut_model(self._model, self.freezing.head, self._bank.example())
        feed = self._bank.feed(cut)
        self.timings["extract"] += time.monotonic() - started
        return cut, feed

    def _prepare_suffix(self) -> None:
        self.stepper.forget_gathered()
        self.stepper.choose_precision(any(p.requires_grad and p.dim() > 2 for p in self._model.parameters()))
        self._measured = 0.0

    def _use_threads(self) -> None:
        """A linear head is done sooner by one thread than by several that wait for each other; a convolution is not."""
        modules = [m for m in self._cut.train.modules() if not any(True for _ in m.children())]
        small = sum(p.numel() for p in self._cut.train.parameters()) <= _SMALL_SUFFIX
        convolves = any(isinstance(m, nn.modules.conv._ConvNd | nn.MultiheadAttention) for m in modules)
        torch.set_num_threads(1 if small and not convolves else cpu_count())

    def _computes_images(self) -> bool:
        return any(len(spec.image_shape) > 1 for spec in self._cut.tensors)

    def _announce_stages(self) -> None:
        images, spec = self._images, self._cut.tensors[0]
        classes = len(images.source.classes)
        size = images.preprocessing.crop
        pixels = (len(images), 3, size, size)
        self.emit(ev.PipelineStage(stage="features", shape_in=pixels, shape_out=(len(images), *spec.image_shape)))
        for stage, rows in (("train", images.train), ("validate", images.val)):
            self.emit(
                ev.PipelineStage(
                    stage=stage,  # type: ignore[arg-type]  # both are stage names
                    shape_in=(len(rows), *spec.image_shape),
                    shape_out=(len(rows), classes),
                )
            )

    def _state(self) -> dict[str, Any]:
        progress, freezing = self.progress, self.freezing
        return {
            **self.optimization.state_dict(),
            "epoch": progress.epoch,
            "batch": progress.batch,
            "step": progress.step,
            "epochs": progress.epochs,
            "trainable": sorted(freezing.trainable),
            "history": [sorted(names) for names in freezing.history],
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None,
            "threads": torch.get_num_threads(),
        }

    def _info(self, accuracy: float | None) -> CheckpointInfo:
        return CheckpointInfo(
            epoch=self.progress.epoch,
            step=self.progress.step,
            val_accuracy=accuracy,
            classes=self._images.source.classes,
            preprocessing=self._images.preprocessing,
        )
