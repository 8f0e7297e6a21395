"""Runs that are asked, between two batches, what a change would cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from fxtui.config import RunConfig
from fxtui.engine.training.questions import estimate_change
from fxtui.engine.training.start import Training
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from tests.engine.runs import Outcome

Between = Callable[[Training, int], bool]


Watched = Callable[[RunConfig, Between], tuple[Outcome, Training]]


def ask(training: Training, change: cmd.FreezeCommand) -> ev.CostEstimated:
    """The estimate itself, taken from the training's mouth."""
    said: list[ev.Event] = []
    estimate_change(change, replace(training.parts, emit=said.append))
    (found,) = said
    assert isinstance(found, ev.CostEstimated)
    return found


# Bytes of all gradients just before the last update, by the optimizer.
_WEIGHED: dict[int, int] = {}


def weigh(training: Training) -> None:
    """Remember the bytes of all gradients, just before an update uses them up."""
    gradients = [p.grad for p in training.parts.run.model.parameters() if p.grad is not None]
    _WEIGHED[id(training.parts.optimization)] = sum(gradient.nbytes for gradient in gradients)


def held(training: Training) -> tuple[int, int]:
    """Bytes of the optimizer's state as it is, and of the gradients of the last update."""
    optimization = training.parts.optimization
    states = optimization.optimizer.state.values()
    state = sum(value.nbytes for state in states for value in state.values() if isinstance(value, Tensor))
    return state, _WEIGHED[id(optimization)]
