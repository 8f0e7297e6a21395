"""Validation figures from logits, gathered on the device and fetched once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.engine.feeds import Batch

_SECONDS_BETWEEN = 0.1


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The outcome of one pass over the validation images.

    ``loss`` is the mean cross-entropy, ``confusion`` [classes, classes] counts true class by predicted class.
    """

    loss: float
    accuracy: float
    confusion: Tensor

    @property
    def support(self) -> tuple[int, ...]:
        """Images of each class."""
        return tuple(self.confusion.sum(1).tolist())

    @property
    def correct(self) -> tuple[int, ...]:
        """Images of each class that were recognised."""
        return tuple(self.confusion.diagonal().tolist())

    def pairs(self) -> tuple[tuple[int, int, int], ...]:
        """(true, predicted, count) for every pair that occurs."""
        where = self.confusion.nonzero()
        counts = self.confusion[where[:, 0], where[:, 1]]
        return tuple((int(t), int(p), int(n)) for (t, p), n in zip(where.tolist(), counts.tolist(), strict=True))


class Tally:
    """Adds up batches of logits [n, classes] with their labels [n]."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self._classes = classes
        # mps has no float64; summing per-batch sums in fp32 there costs less than a rounding of the mean.
        exact = torch.float32 if device.type == "mps" else torch.float64
        self._loss = torch.zeros((), dtype=exact, device=device)
        self._confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Take in one batch."""
        logits = logits.float()
        self._loss += F.cross_entropy(logits, labels, reduction="sum")
        cells = labels * self._classes + logits.argmax(1)
        self._confusion += torch.bincount(cells, minlength=self._classes**2)

    def result(self) -> Evaluated:
        """The figures over everything added; at least one image must have been."""
        confusion = self._confusion.view(self._classes, self._classes).cpu()
        count = int(confusion.sum())
        return Evaluated(float(self._loss) / count, int(confusion.diagonal().sum()) / count, confusion)


def validate(
    suffix: nn.Module,
    batches: Iterator[Batch],
    tally: Tally,
    autocast: Callable[[], AbstractContextManager[Any]],
    say: Callable[[int], None],
) -> Evaluated:
    """The figures of a suffix over batches from a feed; ``say`` is told how many images are done, at most ten a second.

    The model must be in eval mode.
    """
    done, reported = 0, time.monotonic()
    with torch.no_grad():
        for batch in batches:
            if len(batch.labels):
                with autocast():
                    logits = suffix(*batch.tensors)
                tally.add(logits, batch.labels)
            done += len(batch.labels)
            if time.monotonic() - reported >= _SECONDS_BETWEEN:
                reported = time.monotonic()
                say(done)
    return tally.result()
