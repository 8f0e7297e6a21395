"""How long a training goes on and how fast it learns: what was planned, and what was decided since."""

from __future__ import annotations

from fxtui.engine.training.keeping import Keeping
from fxtui.engine.training.parts import TrainingParts
from fxtui.protocol import events as ev


class Plan:
    """The planned end and the learning rate. ``stop_reason`` says why it stopped by itself before its end.

    Who plans more epochs once all is done has it go on: it stops no sooner than at the new end, early stopping and the
    plateau begin to wait anew, and the best epoch stays the best.
    """

    def __init__(self, parts: TrainingParts, keeping: Keeping) -> None:
        self._parts = parts
        self._keeping = keeping
        self.stop_after_epoch = False
        self.stop_reason = ""

    @property
    def is_done(self) -> bool:
        """Whether no epoch comes after the one that ended last."""
        progress = self._parts.progress
        between = progress.epoch > 0 and progress.batch == 0
        return between and (progress.epoch >= progress.epochs or self.stop_after_epoch)

    def add_epochs(self, count: int) -> int:
        """The number of epochs with so many more, counted from the last one done where it stopped before its end."""
        progress = self._parts.progress
        return (progress.epoch if self.is_done else progress.epochs) + count

    def set_epochs(self, epochs: int) -> None:
        """Plan another number of epochs; the learning rate schedule is stretched or shortened from here on."""
        self._keeping.flush()
        progress, optimization = self._parts.progress, self._parts.optimization
        if self.is_done and epochs > progress.epoch:
            self.stop_after_epoch, self.stop_reason = False, ""
            progress.patient_from = progress.epoch
            optimization.schedule = optimization.schedule.waiting_anew(progress.step)
        before, progress.epochs = progress.epochs, epochs
        optimization.schedule = optimization.schedule.rescaled(progress.step, epochs * self._parts.batches)
        self._parts.emit(ev.EpochsChanged(before=before, after=epochs))

    def set_lr(self, lr: float) -> None:
        """Set the head's learning rate; every group keeps its ratio to it."""
        self._keeping.flush()
        optimization = self._parts.optimization
        optimization.base_lr = lr
        optimization.set_rates(self._parts.progress.step)
        self._parts.layers.say()

    def adapt(self) -> None:
        """After an epoch: lower the rate on a plateau and stop early, where the configuration asks for it."""
        parts = self._parts
        progress, patience = parts.progress, parts.config.early_stop
        losses = [figures.val_loss for figures in progress.history]
        if text := parts.optimization.lower_on_plateau(losses, progress.step, parts.batches):
            parts.emit(ev.RunWarning(text=text))
        if patience and progress.waited >= patience and progress.epoch < progress.epochs:
            self.stop_reason = f"no better epoch than {progress.epoch - progress.since_best} for {patience} epochs"
            self.stop_after_epoch = True
