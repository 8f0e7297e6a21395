"""A run's state into checkpoints and back out of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fxtui.engine.assemble import Assembly
from fxtui.engine.checkpoints.files import CheckpointInfo
from fxtui.engine.checkpoints.resume import Resumed, surroundings
from fxtui.engine.checkpoints.writer import CheckpointWriter
from fxtui.engine.features.boundary import Boundary
from fxtui.engine.features.feeds import report_broken
from fxtui.engine.metrics.progress import Progress
from fxtui.engine.optimization.optimizer import Optimization
from fxtui.engine.optimization.step import Stepper
from fxtui.engine.optimization.weight_average import WeightAverage
from fxtui.engine.random_state import random_state, set_random_state
from fxtui.protocol.events import Event, RunWarning


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Everything of a run that has a state to keep. ``timings`` are seconds by part of the work."""

    run: Assembly
    writer: CheckpointWriter
    progress: Progress
    boundary: Boundary
    optimization: Optimization
    stepper: Stepper
    average: WeightAverage | None
    timings: dict[str, float]
    emit: Callable[[Event], None]

    def keep(self, meter: list[float], seconds: float, accuracy: float | None = None, best: bool = False) -> None:
        """Take a copy of the present state as ``last``, and as ``best`` with the averaged weights where there are any.

        ``meter`` and ``seconds`` are the epoch under way's, ``accuracy`` that of the validation just done.
        """
        info = CheckpointInfo(
            epoch=self.progress.epoch,
            step=self.progress.step,
            val_accuracy=accuracy,
            classes=self.run.images.source.classes,
            preprocessing=self.run.images.preprocessing,
        )
        averages = (self.average.tensors() if self.average else {}) if best else None
        self.writer.keep(self._state(meter, seconds), info, averages)

    def restore(self, saved: Resumed) -> None:
        """Continue from a checkpoint. Model, freezing and progress are as it has them already."""
        state = saved.state
        self.optimization.load_state_dict(state["optimization"])
        self.stepper.load_state_dict(state["stepper"])
        if self.average and state["average"]:
            self.average.load_state_dict(state["average"])
        report_broken(self.run.images, saved.later_broken(self.run.images), self.emit)
        self.timings.update(state["timings"])
        if state["cache"] != self.boundary.checksum:
            text = "frozen features differ in their last bits from those before: it goes on, but not to the bit"
            self.emit(RunWarning(text=text))
        # Last of all: nothing after this may draw a number.
        set_random_state(state["random"], self.run.device)

    def _state(self, meter: list[float], seconds: float) -> dict[str, Any]:
        return {
            "progress": self.progress.state_dict() | {"seconds": seconds},
            "freezing": {
                "trainable": sorted(self.run.freezing.trainable),
                "history": [sorted(names) for names in self.run.freezing.history],
            },
            "optimization": self.optimization.state_dict(),
            "stepper": self.stepper.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "meter": meter,
            "random": random_state(self.run.device),
            "cache": self.boundary.checksum,
            "timings": dict(self.timings),
            **surroundings(self.run.images, self.run.device, self.run.loaded.weights),
        }
