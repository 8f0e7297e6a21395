"""What one can do, in one list: it feeds the keys, the key line, the help and the command palette."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fxtui.run.state import RunState

Refusal = Callable[[RunState], str]


def _never(_state: RunState) -> str:
    return ""


def _while_running(state: RunState) -> str:
    return "the run has ended" if state.ended else ""


def _while_training(state: RunState) -> str:
    if state.ended:
        return "the run has ended"
    return "" if state.layers else "the model is still being loaded"


@dataclass(frozen=True, slots=True)
class Action:
    """``refuse`` says why it cannot be done in a state, or nothing; ``short`` is for the key line."""

    id: str
    key: str
    shown: str
    short: str
    text: str
    refuse: Refusal = _never
    in_line: bool = True


ACTIONS: tuple[Action, ...] = (
    Action("toggle", "space", "space", "toggle", "train or freeze the layer under the cursor", _while_training),
    Action("what_if", "w", "w", "cost", "what that would cost, without doing it", _while_training, in_line=False),
    Action("unfreeze_next", "u", "u", "unfreeze", "unfreeze the next deepest stage", _while_training),
    Action("freeze_all", "f", "f", "freeze", "freeze all but the head", _while_training),
    Action("undo", "z", "z", "undo", "undo the last freeze change", _while_training),
    Action("pause", "p", "p", "pause", "pause, or go on", _while_training),
    Action("stop", "s", "s", "stop", "stop after this epoch", _while_running),
    Action("more_epochs", "plus", "+", "epoch more", "one more epoch", _while_training, in_line=False),
    Action("fewer_epochs", "minus", "-", "epoch fewer", "one epoch fewer", _while_training, in_line=False),
    Action("learning_rate", "l", "l", "lr", "set the learning rate", _while_training),
    Action("checkpoint", "c", "c", "checkpoint", "write a checkpoint now", _while_training, in_line=False),
    Action("log_scale", "y", "y", "log", "logarithmic loss axis", in_line=False),
    Action("help", "question_mark", "?", "help", "what works here"),
    Action("quit_or_ask", "q", "q", "quit", "quit; asks while training"),
)
