"""Where training stands: what a checkpoint must know beside weights and optimizer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from fxtui.engine.metrics.observation import Figures
from fxtui.protocol.events import EpochFigures


@dataclass(slots=True)
class Progress:
    """Epochs planned; epochs done, batches done in the present epoch, batches in all.

    ``scheduled`` tells before which step scheduled commands were last carried out, and how many of those due there;
    ``seconds`` is the time the present epoch has taken, ``left_out`` the rows known to be broken when it began. Early
    stopping counts epochs without a better one from ``patient_from`` on.
    """

    epochs: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    scheduled: tuple[int, int] = (-1, 0)
    seconds: float = 0.0
    since_best: int = 0
    patient_from: int = 0
    left_out: tuple[int, ...] = ()
    history: list[Figures] = field(default_factory=list)
    best: EpochFigures | None = None
    final: EpochFigures | None = None

    def end_epoch(self, figures: EpochFigures) -> bool:
        """Take in the figures of the epoch that has ended; True if its validation was never better."""
        best = self.best is None or figures.val_accuracy > self.best.val_accuracy
        self.epoch, self.batch, self.seconds = figures.epoch, 0, 0.0
        self.history.append(Figures(figures.train_loss, figures.val_loss, figures.val_accuracy))
        self.final = figures
        self.best = figures if best else self.best
        self.since_best = 0 if best else self.since_best + 1
        return best

    @property
    def waited(self) -> int:
        """Epochs without a better one, as early stopping counts them."""
        return min(self.since_best, self.epoch - self.patient_from)

    def state_dict(self) -> dict[str, Any]:
        """Plain containers only."""
        state = asdict(self)
        state["best"], state["final"] = msgspec.to_builtins(self.best), msgspec.to_builtins(self.final)
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Progress:
        """The progress that :meth:`state_dict` described."""
        progress = cls(**state)
        progress.left_out, progress.scheduled = tuple(state["left_out"]), tuple(state["scheduled"])
        progress.history = [Figures(**figures) for figures in state["history"]]
        progress.best = msgspec.convert(state["best"], EpochFigures | None)
        progress.final = msgspec.convert(state["final"], EpochFigures | None)
        return progress
