"""Carries out commands between two batches. Each is answered: done, with what changed, or refused, with the reason."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import msgspec

from fxtui.config import ConfigError, SessionConfig
from fxtui.engine.freezing.state import target_of
from fxtui.engine.training.loop import Held, StopNowError
from fxtui.engine.training.questions import estimate_change, predict
from fxtui.engine.training.start import Training
from fxtui.protocol import commands as cmd
from fxtui.protocol.commands import CommandRefusedError
from fxtui.protocol.events import CommandDone, CommandOrigin, CommandRefused, RunHolding, RunPaused, RunResumed
from fxtui.protocol.schedule import MOST_EPOCHS, Timetable
from fxtui.run.session.link import EngineLink

# Seconds between two looks at whether anybody watches a run that holds.
_HOLD_TICK = 0.5
# Not what a command is about, but who meant it and when.
_SAID_BESIDE = frozenset({"id", "client", "origin", "depth"})


class Control:
    """The engine's ear: takes commands from the link, and from the timetable when they are due, to the training."""

    def __init__(self, link: EngineLink, timetable: Timetable, session: SessionConfig) -> None:
        self._link = link
        self._timetable = timetable
        self._session = session
        self._waiting: list[cmd.AnyCommand] = []
        self._paused = False
        self.training: Training | None = None

    def check_stop(self) -> None:
        """Called while features are extracted: only an order to stop now is obeyed at once, the rest waits.

        Raises:
            StopNowError: the run is to end.
        """
        while (command := self._link.next_command()) is not None:
            if isinstance(command, cmd.Stop) and command.when == "now":
                self._answer(command, "stopping", command.origin)
                raise StopNowError(command.interrupted)
            self._waiting.append(command)

    def obey(self) -> bool:
        """Carry out what is due now and every command that waits; True if the freeze boundary moved.

        While paused, wait for more.

        Raises:
            StopNowError: the run is to end.
        """
        moved = self._keep_to_timetable()
        if not self._waiting and not self._link.has_command():
            return moved
        moved |= self._drain()
        if self._paused:
            moved |= self._pause()
        return moved

    def _keep_to_timetable(self) -> bool:
        progress = self._training().parts.progress
        due = self._timetable.due(epochs_done=progress.epoch, batches_done=progress.batch, steps_done=progress.step)
        step, taken = progress.scheduled
        moved = False
        for number in range(taken if step == progress.step else 0, len(due)):
            # Noted before it is carried out, so that a run which it stops does not meet it again.
            progress.scheduled = (progress.step, number + 1)
            moved |= self._carry_out(due[number], "schedule")
        return moved

    def _drain(self) -> bool:
        moved = False
        while (command := self._waiting.pop(0) if self._waiting else self._link.next_command()) is not None:
            # All that was planned may have been done the moment before.
            moved |= self._train_on(command) if self._would_hold else self._carry_out(command, command.origin)
        return moved

    @property
    def _would_hold(self) -> bool:
        return self._session.hold != "never" and (self._session.hold == "always" or self._link.watched)

    def _train_on(self, command: cmd.AnyCommand) -> bool:
        """Do one command; where nothing is left to train, what makes more layers train has it go on.

        Returns whether the freeze boundary moved.
        """
        training = self._training()
        freezing, done = training.parts.run.freezing, training.plan.is_done
        before = freezing.trainable
        moved = self._carry_out(command, command.origin)
        if done and moved and not isinstance(command, cmd.Undo) and freezing.trainable - before:
            # As many epochs as were planned at first.
            more = training.parts.config.epochs
            self._carry_out(cmd.AddEpochs(n=more, client=command.client), command.origin)
        return moved

    def hold(self) -> Held:
        """What was planned is done: where somebody watches, wait for what comes next, until there is more to train.

        A change that makes more layers train goes on by itself, for as many epochs as were planned at first.
        """
        if not self._would_hold:
            return "ended"
        training = self._training()
        progress = training.parts.progress
        self._link.emit(self._holding())
        self._price_of_more()
        changed, unwatched_since = False, time.monotonic()
        while training.plan.is_done:
            now = time.monotonic()
            unwatched_since = now if self._link.watched else unwatched_since
            if now - unwatched_since > 60 * self._session.hold_minutes:
                break
            command = self._waiting.pop(0) if self._waiting else self._link.next_command(timeout=_HOLD_TICK)
            if isinstance(command, cmd.Stop):
                # Played back, it is to end the run here, not to break it off.
                ending = msgspec.structs.replace(command, when="epoch")
                self._answer(ending, "the run ends", command.origin)
                break
            if command is not None:
                changed |= self._train_on(command)
        if training.plan.is_done:
            return "changed" if changed else "ended"
        self._link.emit(RunResumed(epoch=progress.epoch + 1, step=progress.step))
        return "goes on"

    def _holding(self) -> RunHolding:
        training = self._training()
        parts, progress = training.parts, training.parts.progress
        asked = f"after epoch {progress.epoch}, as asked"
        planned = progress.epoch >= progress.epochs
        done = f"{progress.epoch} of {progress.epochs} epochs"
        model = sum(t.nbytes for t in (*parts.run.model.parameters(), *parts.run.model.buffers()))
        return RunHolding(
            epoch=progress.epoch,
            step=progress.step,
            reason=done if planned else training.plan.stop_reason or asked,
            best=progress.best,
            device=str(parts.run.device),
            held_bytes=model + parts.boundary.bank.held_bytes,
            minutes=self._session.hold_minutes,
        )

    def _price_of_more(self) -> None:
        """Say what training the next stage, too, would cost; where every layer trains there is nothing to say."""
        with contextlib.suppress(CommandRefusedError):
            estimate_change(cmd.UnfreezeNext(), self._training().parts)

    def _pause(self) -> bool:
        training = self._training()
        progress, clock = training.parts.progress, training.parts.clock
        started = time.monotonic()
        self._link.emit(RunPaused(epoch=progress.epoch + 1, step=progress.step))
        training.keeping.checkpoint()
        moved, away = False, clock.away
        while self._paused:
            command = self._link.next_command(timeout=None)
            if command is not None:
                moved |= self._carry_out(command, command.origin)
            moved |= self._drain()
        self._link.emit(RunResumed(epoch=progress.epoch + 1, step=progress.step))
        # What was done meanwhile has been discounted already.
        clock.discount(time.monotonic() - started - (clock.away - away))
        return moved

    def _carry_out(self, command: cmd.AnyCommand, origin: CommandOrigin) -> bool:
        """Do one command and answer it; True if the freeze boundary moved."""
        freezing = self._training().parts.run.freezing
        before = freezing.trainable
        try:
            text = self._do(command, origin)
        except CommandRefusedError as refusal:
            name, reason = command.name, str(refusal)
            self._link.emit(CommandRefused(command=name, reason=reason, id=command.id, client=command.client))
            return False
        self._answer(command, text, origin)
        return freezing.trainable != before

    def _do(self, command: cmd.AnyCommand, origin: CommandOrigin) -> str:
        training = self._training()
        parts, progress = training.parts, training.parts.progress
        match command:
            case cmd.SetTrainable() | cmd.FreezeAll() | cmd.UnfreezeAll() | cmd.UnfreezeNext():
                return training.freeze_change.to(target_of(command, parts.run.freezing), command.name)
            case cmd.Undo():
                if command.depth is not None and command.depth != len(parts.run.freezing.history):
                    raise CommandRefusedError("the freezing has been changed since: nothing undone")
                return training.freeze_change.undo()
            case cmd.Estimate():
                return parts.clock.discounted(lambda: estimate_change(command.change, parts))
            case cmd.Predict():
                self._predict(command.images)
                return ""
            case cmd.Evaluate():
                if not training.answers.evaluate(command.limit):
                    raise CommandRefusedError("no epoch has been validated yet")
                return ""
            case cmd.SetLr():
                return self._set_lr(command.lr)
            case cmd.SetEpochs():
                return self._set_epochs(command.epochs)
            case cmd.AddEpochs():
                return self._add_epochs(command.n)
            case cmd.TogglePause():
                return self._set_paused(not self._paused)
            case cmd.Pause():
                return self._set_paused(True)
            case cmd.Resume():
                return self._set_paused(False)
            case cmd.Checkpoint():
                if not training.keeping.checkpoint():
                    raise CommandRefusedError("the checkpoint cannot be written now; it is tried again")
                return f"checkpoint saved: step {progress.step}"
            case cmd.Stop(when="epoch"):
                training.plan.stop_after_epoch = True
                self._paused = False
                return f"stops after epoch {progress.epoch + (progress.batch > 0 or progress.epoch == 0)}"
            case cmd.Stop():
                self._answer(command, "stopping", origin)
                raise StopNowError(command.interrupted)

    def _predict(self, images: tuple[int | str, ...]) -> None:
        training = self._training()
        try:
            training.parts.clock.discounted(lambda: predict(images, training.parts, training.answers))
        except ConfigError as refusal:
            raise CommandRefusedError(str(refusal)) from None

    def _set_lr(self, lr: float) -> str:
        if not 0 < lr < float("inf"):
            raise CommandRefusedError(f"learning rate {lr}: expected a number above 0")
        training = self._training()
        before = training.parts.optimization.base_lr
        training.plan.set_lr(lr)
        return f"learning rate {before:g} → {lr:g} for the head"

    def _set_paused(self, paused: bool) -> str:
        if self._training().plan.is_done:
            raise CommandRefusedError("nothing trains: the run holds")
        if paused == self._paused:
            raise CommandRefusedError("paused already" if paused else "not paused")
        self._paused = paused
        return "paused" if paused else "training goes on"

    def _add_epochs(self, count: int) -> str:
        training = self._training()
        if not count:
            raise CommandRefusedError("0 epochs more: expected a count above 0 for more and below it for fewer")
        epochs = training.plan.add_epochs(count)
        if epochs > MOST_EPOCHS:
            raise CommandRefusedError(f"{epochs} epochs: expected at most {MOST_EPOCHS}")
        if training.plan.is_done and count > 0:
            training.plan.set_epochs(epochs)
            return f"goes on: {epochs} epochs planned"
        return self._set_epochs(epochs)

    def _set_epochs(self, epochs: int) -> str:
        training = self._training()
        progress = training.parts.progress
        under_way = progress.epoch + (progress.batch > 0)
        if epochs < max(under_way, 1):
            what = "is under way" if progress.batch else "has ended"
            raise CommandRefusedError(f"{epochs} epochs: epoch {under_way} {what}, so at least {max(under_way, 1)}")
        if epochs == progress.epochs:
            raise CommandRefusedError(f"{epochs} epochs are planned already")
        training.plan.set_epochs(epochs)
        return f"{epochs} epochs planned"

    def _answer(self, command: cmd.AnyCommand, text: str, origin: CommandOrigin) -> None:
        progress = self.training.parts.progress if self.training else None
        self._link.emit(
            CommandDone(
                command=command.name,
                text=text,
                arguments=_arguments(command),
                origin=origin,
                id=command.id,
                client=command.client,
                epoch=progress.epoch + 1 if progress else 0,
                batch=progress.batch if progress else 0,
                step=progress.step + 1 if progress else 0,
            )
        )

    def _training(self) -> Training:
        assert self.training is not None, "commands are obeyed only once the training stands"
        return self.training


def _arguments(command: cmd.AnyCommand) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(command))
    if isinstance(change := fields.get("change"), dict):
        fields["change"] = {key: value for key, value in change.items() if key not in _SAID_BESIDE}
    return {key: value for key, value in fields.items() if key not in (*_SAID_BESIDE, "type")}
