"""One training step: forward, loss, backward, update; and what an update did to each layer, when that is asked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.config import TrainConfig
from fxtui.engine.features.feeds import Batch
from fxtui.engine.optimization.optimizer import Optimization
from fxtui.engine.optimization.precision import autocast, suffix_dtype


@dataclass(frozen=True, slots=True)
class UpdateFigures:
    """Squared norms by parameter name, on the host: of the gradient, of the weight, of the update."""

    gradient: dict[str, float]
    weight: dict[str, float]
    update: dict[str, float]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a batch gave: mean loss and number recognised, scalars on the device."""

    loss: Tensor
    hits: Tensor


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
        self._dtype: torch.dtype | None = None
        self.scaler = torch.amp.GradScaler(device.type, enabled=False)

    def choose_precision(self, convolves: bool) -> None:
        """Decide in which precision the suffix is computed; ``convolves``: whether more than linear layers train."""
        self._dtype = suffix_dtype(self._config.precision, self._device, convolves)
        scale = self._dtype is torch.float16 and self._device.type == "cuda"
        if scale != self.scaler.is_enabled():
            self.scaler = torch.amp.GradScaler(self._device.type, enabled=scale)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which the suffix runs."""
        return autocast(self._device, self._dtype)

    def gather(self, suffix: nn.Module, batch: Batch, share: float = 1.0) -> Taken:
        """Add a batch's gradients, times ``share``, to those gathered since the last update."""
        held = self._put_aside() if share != 1.0 else []
        while True:
            try:
                taken = self._in_parts(suffix, batch, share)
                break
            except torch.OutOfMemoryError:
                if self._parts >= len(batch.labels):
                    raise
                self._halve(len(batch.labels))
        for parameter, gradient in held:
            parameter.grad = gradient if parameter.grad is None else gradient.add_(parameter.grad)
        return taken

    def update(self, step: int, measure: bool = False) -> UpdateFigures | None:
        """Move what trains by the gradients gathered, at the rates of batch ``step``, counted from 0.

        ``measure`` asks for the figures of the update, which cost a copy of what trains.
        """
        optimizer = self._optimization.optimizer
        self._optimization.set_rates(step)
        if self._config.grad_clip:
            self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self._named()[1], self._config.grad_clip)
        figures = None
        if measure:
            figures = self._measured_update()
        else:
            self._plain_update()
        optimizer.zero_grad(set_to_none=True)
        return figures

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue: the split of batches, the scale of fp16, class weights, gradients gathered."""
        names, parameters = self._named()
        gathered = {name: p.grad for name, p in zip(names, parameters, strict=True) if p.grad is not None}
        return {
            "parts": self._parts,
            "scaler": self.scaler.state_dict(),
            "gradients": gathered,
            "class_weights": self._class_weights,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`; the precision must have been chosen."""
        self._parts = state["parts"]
        weights = state["class_weights"]
        self._class_weights = None if weights is None else weights.to(self._device)
        if state["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        for name, parameter in zip(*self._named(), strict=True):
            gradient = state["gradients"].get(name)
            parameter.grad = None if gradient is None else gradient.to(parameter)

    def _halve(self, count: int) -> None:
        self._parts *= 2
        self._optimization.optimizer.zero_grad(set_to_none=True)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        size = -(-count // self._parts)
        self._warn(
            f"out of memory on {self._device}: batches of {count} are computed {size} at a time from here on; "
            "BatchNorm that trains sees the smaller ones"
        )

    def _in_parts(self, suffix: nn.Module, batch: Batch, share: float) -> Taken:
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
        everything = self.weight_of(batch.labels)
        loss = torch.zeros((), device=self._device)
        hits = torch.zeros((), dtype=torch.int64, device=self._device)
        for part in parts:
            with self.autocast():
                logits = suffix(*part.tensors)
                mean = F.cross_entropy(
                    logits, part.labels, weight=self._class_weights, label_smoothing=self._config.label_smoothing
                )
            weighed = mean if len(parts) == 1 else mean * (self.weight_of(part.labels) / everything)
            scaled = weighed if share == 1.0 else weighed * share
            self.scaler.scale(scaled).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            loss = loss + weighed.detach()
            hits = hits + (logits.detach().argmax(1) == part.labels).sum()
        return Taken(loss, hits)

    def _put_aside(self) -> list[tuple[nn.Parameter, Tensor]]:
        """The gradients gathered so far, taken away, so that a batch which does not fit leaves them whole."""
        held = [(p, p.grad) for p in self._named()[1] if p.grad is not None]
        for parameter, _ in held:
            parameter.grad = None
        return held

    def weight_of(self, labels: Tensor) -> Tensor | int:
        """What the images with these labels count for in a mean: one each, or their classes' weights."""
        return len(labels) if self._class_weights is None else self._class_weights[labels].sum()

    def _plain_update(self) -> None:
        self.scaler.step(self._optimization.optimizer)
        self.scaler.update()

    def _measured_update(self) -> UpdateFigures:
        names, parameters = self._named()
        before = [parameter.detach().clone() for parameter in parameters]
        scale = self.scaler.get_scale() if self.scaler.is_enabled() and not self._config.grad_clip else 1.0
        gradients = [p.grad.detach() if p.grad is not None else torch.zeros_like(p) for p in parameters]
        norms = [torch.linalg.vector_norm(g.float()) / scale for g in gradients]
        self._plain_update()
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
