"""A training put together, from its start or from a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from fxtui.engine.assemble import Assembly
from fxtui.engine.checkpoints.resume import Resumed
from fxtui.engine.checkpoints.snapshot import Snapshots
from fxtui.engine.checkpoints.writer import CheckpointWriter
from fxtui.engine.features.bank import FeatureBank
from fxtui.engine.features.boundary import Boundary
from fxtui.engine.layers.watch import LayerWatch
from fxtui.engine.metrics.pace import Pace
from fxtui.engine.metrics.progress import Progress
from fxtui.engine.optimization.optimizer import Optimization
from fxtui.engine.optimization.weight_average import WeightAverage
from fxtui.engine.predicting.image_trace import ImageTracer
from fxtui.engine.predicting.while_training import WhileTraining
from fxtui.engine.training.clock import TrainingClock
from fxtui.engine.training.epoch import Epoch
from fxtui.engine.training.epoch_end import EpochEnd
from fxtui.engine.training.freeze_change import FreezeChange
from fxtui.engine.training.keeping import Keeping
from fxtui.engine.training.loop import TrainingLoop
from fxtui.engine.training.parts import TrainingParts, batches_in_epoch, build_stepper
from fxtui.engine.training.plan import Plan
from fxtui.protocol.events import Event, RunWarning


@dataclass(frozen=True, slots=True)
class Training:
    """A training that stands, and what commands talk to."""

    parts: TrainingParts
    keeping: Keeping
    plan: Plan
    freeze_change: FreezeChange
    answers: WhileTraining
    loop: TrainingLoop


def start_training(
    run: Assembly,
    bank: FeatureBank,
    writer: CheckpointWriter,
    emit: Callable[[Event], None],
    resumed: Resumed | None = None,
) -> Training:
    """Extract the features and make everything ready for the first batch.

    With ``resumed``, model, freezing and images must already be as the checkpoint has them.

    Raises:
        StopNowError: a command ends the run while features are extracted.
        ConfigError: a class has no readable image left.
    """
    config, model, images = run.config.train, run.model, run.images
    pace = Pace()
    emit = pace.watching(emit)
    progress = resumed.progress if resumed else Progress(epochs=config.epochs)
    clock = TrainingClock()
    tracer = ImageTracer(model, run.loaded.head, images.preprocessing, run.device)
    answers = WhileTraining(tracer, images, progress, emit)
    started = time.monotonic()
    boundary = Boundary(model, run.freezing, bank)
    clock.timings["extract"] = time.monotonic() - started
    optimization = Optimization(model, run.freezing, config, progress.epochs * batches_in_epoch(run))
    parts = TrainingParts(
        run=run,
        progress=progress,
        clock=clock,
        pace=pace,
        emit=emit,
        boundary=boundary,
        optimization=optimization,
        stepper=build_stepper(run, optimization, lambda text: emit(RunWarning(text=text))),
        average=WeightAverage(model, config.ema) if config.ema else None,
        layers=LayerWatch(model, run.freezing, optimization, run.outputs, emit),
    )
    epoch = Epoch(parts)
    parts.settle()
    snapshots = _snapshots(parts, writer)
    if resumed:
        epoch.begin()
        epoch.meter.restore(resumed.state["meter"])
        snapshots.restore(resumed)
    else:
        # Dropout draws from the global generator; seeded here, a run does not depend on what loading drew.
        torch.manual_seed(run.config.seed)
    keeping = Keeping(snapshots, writer, progress, epoch, run.config.session.checkpoint_minutes)
    plan = Plan(parts, keeping)
    epoch_end = EpochEnd(parts, epoch, plan, keeping, answers)
    loop = TrainingLoop(parts, epoch, epoch_end, plan, keeping, answers)
    return Training(parts, keeping, plan, FreezeChange(parts, keeping), answers, loop)


def _snapshots(parts: TrainingParts, writer: CheckpointWriter) -> Snapshots:
    return Snapshots(
        run=parts.run,
        writer=writer,
        progress=parts.progress,
        boundary=parts.boundary,
        optimization=parts.optimization,
        stepper=parts.stepper,
        average=parts.average,
        timings=parts.clock.timings,
        emit=parts.emit,
    )
