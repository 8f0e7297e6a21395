"""An exponential moving average of what trains, which validates in place of the last weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from fxtui.engine.freezing.moving_names import moving_names


class WeightAverage:
    """Averages every floating-point parameter and statistic that moves: average x d + weight x (1 - d).

    After n updates d is the smaller of ``decay`` and (1 + n) / (10 + n), so that a short run is not held back by its
    first weights. Sources: Polyak & Juditsky 1992; TensorFlow's ``ExponentialMovingAverage`` for the warm-up.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self._updates = 0
        self._moving: dict[str, Tensor] = {}
        self._average: dict[str, Tensor] = {}
        self.sync()

    def sync(self) -> None:
        """Begin to average what began to move, from where it is, and forget what was frozen."""
        names = moving_names(self._model)
        tensors = {**dict(self._model.named_parameters()), **dict(self._model.named_buffers())}
        self._moving = {name: t for name, t in tensors.items() if name in names and t.is_floating_point()}
        self._average = {
            name: self._average[name] if name in self._average else tensor.detach().clone()
            for name, tensor in self._moving.items()
        }

    def update(self) -> None:
        """Take in the weights after an update."""
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        with torch.no_grad():
            torch._foreach_lerp_(list(self._average.values()), list(self._moving.values()), 1 - decay)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """The model carries the averages inside, and its own weights again afterwards."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def tensors(self) -> dict[str, Tensor]:
        """The averages by name."""
        return dict(self._average)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue."""
        return {"updates": self._updates, "average": self._average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`; the same tensors must move as when it was taken."""
        self._updates = state["updates"]
        for name, tensor in self._average.items():
            tensor.copy_(state["average"][name])

    def _swap(self) -> None:
        for name, tensor in self._moving.items():
            tensor.data, self._average[name] = self._average[name], tensor.data
