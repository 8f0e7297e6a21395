"""One training step: forward, loss, backward, update; and what an update did to each layer, when that is asked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.config import TrainConfig
from fxtui.engine.devices import has_fast_bf16
from fxtui.engine.feeds import Batch
from fxtui.engine.optim import Optimization


@dataclass(frozen=True, slots=True)
class UpdateFigures:
    """Squared norms by parameter name, on the host: of the gradient, of the weight, of the update."""

    gradient: dict[str, float]
    weight: dict[str, float]
    update: dict[str, float]


class Stepper:
    """Takes training steps on batches from a feed.

    ``class_weights`` [classes] weighs the loss by class, None for no weights. ``warn`` is told, in one line, when the
    device ran out of memory and batches are split from then on.
    """

    def __init__(
        self,
        optimization: Optimization,
        config: TrainConfig,
        device: torch.device,
        class_weights: Tensor | None,
        warn: Callable[[str], None],
    ) -> None:
        self._optimization = optimization
        self._config = config
        self._device = device
        self._class_weights = class_weights
        self._warn = warn
        self._parts = 1
        self._gathered = 0
        self._dtype: torch.dtype | None = None
        self.scaler = torch.amp.GradScaler(device.type, enabled=False)

    def choose_precision(self, convolves: bool) -> None:
        """Decide in which precision the suffix is computed; ``convolves``: whether more than linear layers train."""
        wanted = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self._config.precision)
        cuda = self._device.type == "cuda"
        if self._config.precision == "auto" and cuda and convolves and has_fast_bf16(self._device):
            wanted = torch.bfloat16
        self._dtype = wanted
        scale = wanted is torch.float16 and cuda
        if scale != self.scaler.is_enabled():
            self.scaler = torch.amp.GradScaler(self._device.type, enabled=scale)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which the suffix runs."""
        return torch.autocast(self._device.type, dtype=self._dtype) if self._dtype else nullcontext()

    def take(self, suffix: nn.Module, batch: Batch, step: int, last: bool, measure: bool) -> Taken:
        """Take one step, or with accumulation a part of one; ``last`` says that the epoch's batches end here.

        ``measure`` asks for the figures of the update, which cost a copy of what trains.
        """
        optimizer = self._optimization.optimizer
        self._optimization.set_rates(step)
        if self._gathered == 0:
            optimizer.zero_grad(set_to_none=True)
        loss, hits = self._forward_backward(suffix, batch)
        self._gathered += 1
        if self._gathered < self._config.accumulate and not last:
            return Taken(loss, hits, None)
        self._gathered = 0
        if self._config.grad_clip:
            self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self._parameters(), self._config.grad_clip)
        if not measure:
            self.scaler.step(optimizer)
            self.scaler.update()
            return Taken(loss, hits, None)
        return Taken(loss, hits, self._measured_update())

    def forget_gathered(self) -> None:
        """Drop gradients gathered so far, e.g. because other parameters train now."""
        self._gathered = 0

    def _forward_backward(self, suffix: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        while True:
            try:
                return self._in_parts(suffix, batch)
            except torch.OutOfMemoryError:
                count = len(batch.labels)
                if self._parts >= count:
                    raise
                self._parts *= 2
                self._optimization.optimizer.zero_grad(set_to_none=True)
                if self._device.type == "cuda":
                    torch.cuda.empty_cache()
                size = -(-count // self._parts)
                self._warn(
                    f"out of memory on {self._device}: batches of {count} are computed {size} at a time from here on; "
                    "BatchNorm that trains sees the smaller ones"
                )

    def _in_parts(self, suffix: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        count = len(batch.labels)
        if self._parts == 1:
            parts = [batch]
        else:
            size = -(-count // self._parts)
            cuts = range(0, count, size)
            rows = [tensor.shape[0] // count for tensor in batch.tensors]
            parts = [
                Batch(
                    tuple(t[c * r : (c + size) * r].clone() for t, r in zip(batch.tensors, rows, strict=True)),
                    batch.labels[c : c + size],
                )
                for c in cuts
            ]
        loss = torch.zeros((), device=self._device)
        hits = torch.zeros((), dtype=torch.int64, device=self._device)
        for part in parts:
            with self.autocast():
                logits = suffix(*part.tensors)
                mean = F.cross_entropy(
                    logits, part.labels, weight=self._class_weights, label_smoothing=self._config.label_smoothing
                )
            share = len(part.labels) / count
            weighed = mean if len(parts) == 1 else mean * share
            scaled = weighed if self._config.accumulate == 1 else weighed / self._config.accumulate
            self.scaler.scale(scaled).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            loss = loss + weighed.detach()
            hits = hits + (logits.detach().argmax(1) == part.labels).sum()
        return loss, hits

    def _measured_update(self) -> UpdateFigures:
        names, parameters = self._named()
        before = [parameter.detach().clone() for parameter in parameters]
        scale = self.scaler.get_scale() if self.scaler.is_enabled() and not self._config.grad_clip else 1.0
        gradients = [p.grad.detach() if p.grad is not None else torch.zeros_like(p) for p in parameters]
        norms = [torch.linalg.vector_norm(g.float()) / scale for g in gradients]
        self.scaler.step(self._optimization.optimizer)
        self.scaler.update()
        weights = [torch.linalg.vector_norm(b.float()) for b in before]
        updates = [torch.linalg.vector_norm((p.detach() - b).float()) for p, b in zip(parameters, before, strict=True)]
        squares = torch.stack(norms + weights + updates).square().cpu().tolist()
        count = len(names)
        return UpdateFigures(
            dict(zip(names, squares[:count], strict=True)),
            dict(zip(names, squares[count : 2 * count], strict=True)),
            dict(zip(names, squares[2 * count :], strict=True)),
        )

    def _named(self) -> tuple[list[str], list[nn.Parameter]]:
        groups = self._optimization.optimizer.param_groups
        return [n for g in groups for n in g["names"]], [p for g in groups for p in g["params"]]

    def _parameters(self) -> list[nn.Parameter]:
        return self._named()[1]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step gave: mean loss and number recognised, scalars on the device; figures of the update if asked."""

    loss: Tensor
    hits: Tensor
    figures: UpdateFigures | None


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """Weights [classes] inversely proportional to how often a class occurs, 1 on average over the images.

    Source: scikit-learn's ``class_weight="balanced"``, after King & Zeng 2001.
    """
    counts = torch.bincount(labels, minlength=classes).float()
    return len(labels) / (classes * counts.clamp(min=1))
