"""What a training is made of, as it uses it between two batches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch

from fxtui.config import TrainConfig
from fxtui.engine.assemble import Assembly
from fxtui.engine.data.batch_order import epoch_batches
from fxtui.engine.features.boundary import Boundary
from fxtui.engine.layers.watch import LayerWatch
from fxtui.engine.metrics.pace import Pace
from fxtui.engine.metrics.progress import Progress
from fxtui.engine.optimization.class_weights import balanced_weights
from fxtui.engine.optimization.optimizer import Optimization
from fxtui.engine.optimization.precision import trains_convolutions
from fxtui.engine.optimization.step import Stepper
from fxtui.engine.optimization.weight_average import WeightAverage
from fxtui.engine.training.clock import TrainingClock
from fxtui.protocol import events as ev


@dataclass(frozen=True, slots=True)
class TrainingParts:
    """The parts. ``average`` is None where the last weights validate, ``pace`` takes in every event that is emitted."""

    run: Assembly
    progress: Progress
    clock: TrainingClock
    pace: Pace
    emit: Callable[[ev.Event], None]
    boundary: Boundary
    optimization: Optimization
    stepper: Stepper
    average: WeightAverage | None
    layers: LayerWatch

    @property
    def config(self) -> TrainConfig:
        """How the trainable part is trained."""
        return self.run.config.train

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return batches_in_epoch(self.run)

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """Inside, the model carries the weights that validate."""
        return self.average.applied() if self.average else contextlib.nullcontext()

    def settle(self) -> None:
        """Fit everything to a cut that is new, and say the shapes that the pipeline's last stages have with it."""
        self.stepper.choose_precision(trains_convolutions(self.run.model))
        self.boundary.use_threads()
        self.layers.settle()
        self._announce_stages()

    def _announce_stages(self) -> None:
        images = self.run.images
        train, val, classes = len(images.train), len(images.val), len(images.source.classes)
        size = images.preprocessing.crop
        shape = self.boundary.cut.tensors[0].image_shape
        for stage, before, after in (
            ("features", (len(images), 3, size, size), (len(images), *shape)),
            ("train", (train, *shape), (train, classes)),
            ("validate", (val, *shape), (val, classes)),
        ):
            self.emit(ev.PipelineStage(stage=stage, shape_in=before, shape_out=after))  # type: ignore[arg-type]


def batches_in_epoch(run: Assembly) -> int:
    """How many batches an epoch has."""
    return len(epoch_batches(run.images.train, 0, 0, run.config.train.batch_size))


def build_stepper(run: Assembly, optimization: Optimization, warn: Callable[[str], None]) -> Stepper:
    """What takes the steps, with the classes' weights if they are to be balanced."""
    weights = None
    if run.config.train.class_weights == "balanced":
        labels = torch.from_numpy(run.images.labels[run.images.train])
        weights = balanced_weights(labels, len(run.images.source.classes)).to(run.device)
    return Stepper(optimization, run.config.train, run.device, weights, warn)
