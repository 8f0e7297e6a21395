"""From an action to the command that carries it out, where the run's state alone decides it."""

from __future__ import annotations

from collections.abc import Callable

from fxtui.run import commands as cmd
from fxtui.run.state import RunState

COMMANDS: dict[str, Callable[[RunState], cmd.AnyCommand]] = {
    "unfreeze_next": lambda _: cmd.UnfreezeNext(),
    "freeze_all": lambda _: cmd.FreezeAll(),
    "undo": lambda _: cmd.Undo(),
    "pause": lambda state: cmd.Resume() if state.phase == "paused" else cmd.Pause(),
    "stop": lambda _: cmd.Stop(),
    "more_epochs": lambda state: cmd.SetEpochs(epochs=state.epochs_planned + 1),
    "fewer_epochs": lambda state: cmd.SetEpochs(epochs=state.epochs_planned - 1),
    "checkpoint": lambda _: cmd.Checkpoint(),
}
