"""Losses and hits of training batches, fetched from the device ten times a second instead of at every step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from fxtui.protocol.events import BatchEnd

_FETCH_SECONDS = 0.1


class NonFiniteLossError(ArithmeticError):
    """The training loss became NaN or infinite at ``step``."""

    def __init__(self, value: float, step: int) -> None:
        self.step = step
        super().__init__(f"loss is {'NaN' if math.isnan(value) else 'infinite'} at step {step}")


class BatchMeter:
    """Collects the figures of one epoch's batches and reports them at its own pace."""

    def __init__(self, epoch: int, batches: int, emit: Callable[[BatchEnd], None]) -> None:
        self._epoch = epoch
        self._batches = batches
        self._emit = emit
        self._waiting: list[tuple[Tensor, Tensor, int]] = []
        self._last = time.monotonic()
        self._loss = 0.0
        self._hits = 0
        self._images = 0

    def add(self, loss: Tensor, hits: Tensor, images: int) -> None:
        """Take in a batch: its mean loss and the number recognised, both scalars still on the device."""
        self._waiting.append((loss, hits, images))

    def report(self, step: int, batch: int, lr: float, force: bool = False) -> None:
        """Fetch and report what has gathered, if it is time; ``step`` and ``batch`` are those of the latest batch.

        Raises:
            NonFiniteLossError: a loss is no finite number; nothing is reported then.
        """
        now = time.monotonic()
        if not self._waiting or (now - self._last < _FETCH_SECONDS and not force):
            return
        losses = torch.stack([loss for loss, _, _ in self._waiting]).double().cpu().tolist()
        hits = int(torch.stack([hit for _, hit, _ in self._waiting]).sum())
        sizes = [size for _, _, size in self._waiting]
        self._waiting.clear()
        for position, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise NonFiniteLossError(loss, step - len(losses) + 1 + position)
        images, total = sum(sizes), 0.0
        for loss, size in zip(losses, sizes, strict=True):
            total += loss * size
            # One by one, so that the epoch's mean does not depend on when figures were fetched.
            self._loss += loss * size
        self._hits, self._images = self._hits + hits, self._images + images
        self._emit(
            BatchEnd(
                epoch=self._epoch,
                step=step,
                batch=batch,
                batches=self._batches,
                loss=total / images,
                accuracy=hits / images,
                lr=lr,
                images_per_s=images / max(now - self._last, 1e-9),
            )
        )
        self._last = now

    def state(self) -> list[float]:
        """What has been reported of the epoch so far, for a checkpoint."""
        return [self._loss, self._hits, self._images]

    def restore(self, state: list[float]) -> None:
        """Continue from :meth:`state`."""
        self._loss, self._hits, self._images = state[0], int(state[1]), int(state[2])

    def restart_clock(self) -> None:
        """Do not count the time since the last report, e.g. after a pause."""
        self._last = time.monotonic()

    @property
    def loss(self) -> float:
        """The mean loss over the images reported so far."""
        return self._loss / max(self._images, 1)

    @property
    def accuracy(self) -> float:
        """The share recognised of the images reported so far."""
        return self._hits / max(self._images, 1)
