"""Questions to a training under way: they are answered between two batches, and nothing of it is changed."""

from __future__ import annotations

import torch

from fxtui.engine.costs.of_change import Present, estimate
from fxtui.engine.predicting.while_training import WhileTraining
from fxtui.engine.training.parts import TrainingParts
from fxtui.machine.cpu import cpu_count
from fxtui.protocol.commands import FreezeCommand
from fxtui.run.cost_words import cost_sentence


def estimate_change(change: FreezeCommand, parts: TrainingParts) -> str:
    """Say what a change of freezing would cost, without making it, and return a sentence about it.

    Raises:
        CommandRefusedError: the change itself would be refused.
    """
    run, boundary = parts.run, parts.boundary
    present = Present(
        model=run.model,
        freezing=run.freezing,
        config=run.config.train,
        images=run.images,
        bank=boundary.bank,
        device=run.device,
        cut=boundary.cut,
        feed=boundary.feed,
        pace=parts.pace,
    )
    found, gained, lost = estimate(change, present)
    parts.emit(found)
    return cost_sentence(found, gained, lost)


def predict(asked: tuple[int | str, ...], parts: TrainingParts, answers: WhileTraining) -> None:
    """Say what the weights that validate make of these images.

    Raises:
        ConfigError: there is no such image, or it cannot be read.
    """
    torch.set_num_threads(cpu_count())
    try:
        with parts.averaged():
            answers.predict(asked, parts.stepper.autocast, parts.boundary.logits)
    finally:
        parts.boundary.use_threads()
