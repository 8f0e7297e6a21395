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

from fxtui.engine.features.feeds import Batch
from fxtui.protocol.events import Evaluation, ImageResult

_SECONDS_BETWEEN = 0.1


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The outcome of one pass over the validation images.

    ``loss`` is the mean cross-entropy, ``confusion`` [classes, classes] counts true class by predicted class.
    ``outcomes`` [4, images] are, for each image in the order they were added: true class, predicted class, its
    probability, the image's loss.
    """

    loss: float
    accuracy: float
    confusion: Tensor
    outcomes: Tensor

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

    def event(self, epoch: int, limit: int) -> Evaluation:
        """As an event, with the ``limit`` images of the greatest loss."""
        losses = self.outcomes[3]
        order = losses.argsort(descending=True, stable=True)[: max(0, limit)]
        rows = self.outcomes[:, order].T.tolist()
        images = (
            ImageResult(number, int(true), int(predicted), probability, loss)
            for number, (true, predicted, probability, loss) in zip(order.tolist(), rows, strict=True)
        )
        return Evaluation(
            epoch=epoch,
            support=self.support,
            correct=self.correct,
            confusion=self.pairs(),
            images=tuple(images),
        )


class Tally:
    """Adds up batches of logits [n, classes] with their labels [n]."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self._classes = classes
        # mps has no float64; summing per-batch sums in fp32 there costs less than a rounding of the mean.
        exact = torch.float32 if device.type == "mps" else torch.float64
        self._loss = torch.zeros((), dtype=exact, device=device)
        self._confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        self._outcomes: list[Tensor] = []

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Take in one batch."""
        logits = logits.float()
        self._loss += F.cross_entropy(logits, labels, reduction="sum")
        logs = logits.log_softmax(1)
        best, predicted = logs.max(1)
        own = logs.gather(1, labels[:, None])[:, 0]
        # Class numbers are exact in float32 far beyond any number of classes there is.
        self._outcomes.append(torch.stack((labels.float(), predicted.float(), best.exp(), -own)))
        cells = labels * self._classes + predicted
        self._confusion += torch.bincount(cells, minlength=self._classes**2)

    def result(self) -> Evaluated:
        """The figures over everything added; at least one image must have been."""
        confusion = self._confusion.view(self._classes, self._classes).cpu()
        count = int(confusion.sum())
        outcomes = torch.cat(self._outcomes, 1).cpu()
        return Evaluated(float(self._loss) / count, int(confusion.diagonal().sum()) / count, confusion, outcomes)


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
