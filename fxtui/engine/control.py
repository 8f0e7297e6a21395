"""Carries out commands between two batches. Each is answered: done, with what changed, or refused, with the reason."""

from __future__ import annotations

import time

from fxtui.engine.freezing import FreezeError
from fxtui.engine.trainer import StopNowError, Trainer
from fxtui.run import commands as cmd
from fxtui.run.events import CommandDone, CommandRefused, RunPaused, RunResumed
from fxtui.run.session import EngineLink


class Control:
    """The engine's ear: takes commands from the link and applies them to the trainer."""

    def __init__(self, link: EngineLink) -> None:
        self._link = link
        self._waiting: list[cmd.AnyCommand] = []
        self._paused = False
        self.trainer: Trainer | None = None

    def check_stop(self) -> None:
        """Called while features are extracted: only an order to stop now is obeyed at once, the rest waits.

        Raises:
            StopNowError: the run is to end.
        """
        while (command := self._link.next_command()) is not None:
            if isinstance(command, cmd.Stop) and command.when == "now":
                self._answer(command, "stopping")
                raise StopNowError(command.interrupted)
            self._waiting.append(command)

    def obey(self) -> bool:
        """Carry out every command that waits; True if the freeze boundary moved. While paused, wait for more.

        Raises:
            StopNowError: the run is to end.
        """
        if not self._waiting and not self._link.has_command():
            return False
        moved = self._drain()
        if self._paused:
            moved |= self._pause()
        return moved

    def _drain(self) -> bool:
        moved = False
        while (command := self._waiting.pop(0) if self._waiting else self._link.next_command()) is not None:
            moved |= self._carry_out(command)
        return moved

    def _pause(self) -> bool:
        trainer = self._trainer()
        progress = trainer.progress
        started = time.monotonic()
        self._link.emit(RunPaused(epoch=progress.epoch + 1, step=progress.step))
        trainer.checkpoint()
        moved = False
        while self._paused:
            command = self._link.next_command(timeout=None)
            if command is not None:
                moved |= self._carry_out(command)
            moved |= self._drain()
        self._link.emit(RunResumed(epoch=progress.epoch + 1, step=progress.step))
        trainer.discount_pause(time.monotonic() - started)
        return moved

    def _carry_out(self, command: cmd.AnyCommand) -> bool:
        """Do one command and answer it; True if the freeze boundary moved."""
        before = self._trainer().freezing.trainable
        try:
            text = self._do(command)
        except FreezeError as refusal:
            self._link.emit(CommandRefused(command=command.name, reason=str(refusal)))
            return False
        self._answer(command, text)
        return self._trainer().freezing.trainable != before

    def _do(self, command: cmd.AnyCommand) -> str:
        trainer = self._trainer()
        freezing, progress = trainer.freezing, trainer.progress
        match command:
            case cmd.SetTrainable():
                names = freezing.resolve(command.paths)
                wanted = freezing.trainable | names if command.value else freezing.trainable - names
                return trainer.change_freezing(wanted, "set_trainable")
            case cmd.FreezeAll():
                return trainer.change_freezing(frozenset(), "freeze_all")
            case cmd.UnfreezeAll():
                return trainer.change_freezing(frozenset(freezing.backbone_names), "unfreeze_all")
            case cmd.UnfreezeNext():
                names_next = freezing.next_stage()
                if names_next is None:
                    raise FreezeError("nothing left to unfreeze: every layer trains")
                return trainer.change_freezing(freezing.trainable | names_next, "unfreeze_next")
            case cmd.Undo():
                return trainer.undo_freezing()
            case cmd.SetLr():
                return self._set_lr(command.lr)
            case cmd.SetEpochs():
                return self._set_epochs(command.epochs)
            case cmd.Pause():
                if self._paused:
                    raise FreezeError("paused already")
                self._paused = True
                return "paused"
            case cmd.Resume():
                if not self._paused:
                    raise FreezeError("not paused")
                self._paused = False
                return "training goes on"
            case cmd.Checkpoint():
                trainer.checkpoint()
                return f"checkpoint saved: step {progress.step}"
            case cmd.Stop(when="epoch"):
                trainer.stop_after_epoch = True
                self._paused = False
                return f"stops after epoch {progress.epoch + 1}"
            case cmd.Stop():
                self._answer(command, "stopping")
                raise StopNowError(command.interrupted)

    def _set_lr(self, lr: float) -> str:
        if not 0 < lr < float("inf"):
            raise FreezeError(f"learning rate {lr}: expected a number above 0")
        optimization = self._trainer().optimization
        before, optimization.base_lr = optimization.base_lr, lr
        optimization.set_rates(self._trainer().progress.step)
        self._trainer().emit_layers()
        return f"learning rate {before:g} → {lr:g}"

    def _set_epochs(self, epochs: int) -> str:
        trainer = self._trainer()
        least = trainer.progress.epoch + 1
        if epochs < least:
            raise FreezeError(f"{epochs} epochs: epoch {least} is under way, so at least {least}")
        if epochs == trainer.progress.epochs:
            raise FreezeError(f"{epochs} epochs are planned already")
        trainer.set_epochs(epochs)
        return f"{epochs} epochs planned"

    def _answer(self, command: cmd.AnyCommand, text: str) -> None:
        self._link.emit(CommandDone(command=command.name, text=text))

    def _trainer(self) -> Trainer:
        assert self.trainer is not None, "commands are obeyed only once the trainer stands"
        return self.trainer
