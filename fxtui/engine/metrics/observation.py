"""What an epoch's figures say, in at most 24 characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fxtui.advice.rules import standard_error

_RISE = 0.05


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one epoch: mean losses, accuracies as fractions."""

    train_loss: float
    val_loss: float
    val_accuracy: float


def observe(history: Sequence[Figures], now: Figures, val_images: int) -> str:
    """An observation on the latest epoch, given those before it.

    A difference in accuracy counts as real only beyond one standard error of the validation accuracy.
    """
    if not history:
        return "first epoch"
    every = [*history, now]
    best = max(figures.val_accuracy for figures in history)
    if drifting := _drifting(every):
        return f"overfits {drifting} epochs"
    if now.val_accuracy > best:
        return f"best +{(now.val_accuracy - best) * 100:.1f}"
    flat = _flat(every, val_images)
    if flat >= 3:
        return f"flat {flat} epochs"
    change = (now.val_accuracy - history[-1].val_accuracy) * 100
    rises = now.train_loss > history[-1].train_loss * (1 + _RISE)
    # Adding 0.0 turns a rounded minus zero into zero.
    return f"val {round(change, 1) + 0.0:+.1f}{', loss up' if rises else ''}"


def _drifting(every: Sequence[Figures]) -> int:
    """For how many epochs validation loss has risen while training loss fell; 0 below three."""
    count = 0
    for before, after in zip(reversed(every[:-1]), reversed(every[1:]), strict=True):
        if after.val_loss <= before.val_loss or after.train_loss >= before.train_loss:
            break
        count += 1
    if count < 3 or every[-1].val_loss < every[-1 - count].val_loss * (1 + _RISE):
        return 0
    return count


def _flat(every: Sequence[Figures], val_images: int) -> int:
    """For how many epochs validation accuracy has made no real gain."""
    reference, at = every[0].val_accuracy, 0
    for number, figures in enumerate(every):
        if figures.val_accuracy > reference + standard_error(reference, val_images):
            reference, at = figures.val_accuracy, number
    return len(every) - 1 - at
