"""The loops one would have written without fxtui: plain PyTorch, whole model, every image, every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.bench.engine.start import start_of
from fxtui.config import RunConfig
from fxtui.engine.data.batch_order import epoch_batches, plain_batches
from fxtui.engine.data.normalise import Normaliser
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.devices import resolve_device, synchronize
from fxtui.engine.random_state import random_state, random_state_kept, set_random_state
from fxtui.machine.cpu import cpu_count


@dataclass(frozen=True, slots=True)
class EpochResult:
    """One epoch of training and validation: its seconds and its mean losses."""

    seconds: float
    train_loss: float
    val_loss: float


def all_pixels(images: ImageRows, device: torch.device) -> Tensor:
    """Every image [n, 3, H, W] on the device, normalised, in row order."""
    normalise = Normaliser(images.preprocessing, device)
    return torch.cat([normalise(batch.pixels) for _, batch in images.read(plain_batches(np.arange(len(images)), 64))])


class PlainTraining:
    """Fine-tunes a model epoch by epoch, with the images in memory so that it is as fast as a plain loop can be.

    ``model.train()``, then ``eval()`` on every wholly frozen module; gradients are kept for what trains alone.

    Raises:
        ConfigError: the configuration cannot be run.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._device = resolve_device(config.device)
        start = start_of(config)
        self._rows = start.images
        self._images = all_pixels(start.images, self._device)
        self._labels = torch.from_numpy(start.images.labels).to(self._device)
        self._model = start.loaded.module.to(self._device)
        self._optimizer = _optimizer(self._model, config)
        self._epoch = 0
        with random_state_kept(self._device):
            torch.manual_seed(config.seed)
            self._random = random_state(self._device)

    def epoch(self, stop: Callable[[], bool]) -> EpochResult | None:
        """Train and validate once; None if ``stop``, asked between batches, ended it.

        The global random state and the thread count are the caller's again afterwards.
        """
        threads = torch.get_num_threads()
        torch.set_num_threads(cpu_count())
        try:
            with random_state_kept(self._device):
                set_random_state(self._random, self._device)
                started = time.perf_counter()
                losses = self._train_and_validate(stop)
                seconds = time.perf_counter() - started
                self._random = random_state(self._device)
        finally:
            torch.set_num_threads(threads)
        self._epoch += 1
        return None if losses is None else EpochResult(seconds, *losses)

    def _train_and_validate(self, stop: Callable[[], bool]) -> tuple[float, float] | None:
        model, config, rows = self._model, self._config, self._rows
        model.train()
        for module in model.modules():
            parameters = list(module.parameters())
            if parameters and not any(p.requires_grad for p in parameters):
                module.eval()
        train, val = (torch.zeros((), device=self._device) for _ in range(2))
        for batch in epoch_batches(rows.train, config.seed, self._epoch, config.train.batch_size):
            if stop():
                return None
            images, labels = self._take(batch)
            loss = F.cross_entropy(model(images), labels)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self._optimizer.step()
            train += loss.detach() * len(batch)
        model.eval()
        with torch.no_grad():
            for batch in plain_batches(rows.val, config.data.batch_size):
                images, labels = self._take(batch)
                val += F.cross_entropy(model(images), labels, reduction="sum")
        synchronize(self._device)
        return float(train) / len(rows.train), float(val) / len(rows.val)

    def _take(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        index = torch.from_numpy(rows).to(self._device)
        return self._images[index], self._labels[index]


def _optimizer(model: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    """AdamW over the head, which is all that trains so far, and over the stages to be trained at their own rate."""
    head = [p for p in model.parameters() if p.requires_grad]
    stages = [p for path in config.freeze.trainable for p in model.get_submodule(path).parameters()]
    for parameter in stages:
        parameter.requires_grad_(True)
    groups = [{"params": head, "lr": config.train.lr}]
    if stages:
        groups.append({"params": stages, "lr": config.train.lr * config.train.backbone_lr_scale})
    return torch.optim.AdamW(groups, weight_decay=config.train.weight_decay)
