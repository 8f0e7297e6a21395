"""Whether what is frozen really stays as it is, found by looking at the tensors themselves."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from fxtui.engine.freezing.moving_names import moving_names

_SECONDS_BETWEEN = 1.0
_LARGEST_SHARE = 0.01
_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Drift:
    """Remembers a checksum of every frozen parameter and statistic, and finds those that have changed.

    The checksum is the sum of a tensor's words as integers; it is exact, and all come from the device in one transfer.
    A look is taken at most once a second, and takes at most a hundredth of the time.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._sums: dict[str, int] = {}
        self._due = 0.0
        self.moved: frozenset[str] = frozenset()

    def remember(self) -> None:
        """Take what is frozen now, as it is now, for what must stay."""
        self._sums = self._measure()
        self.moved = frozenset()

    def look(self, force: bool = False) -> bool:
        """Compare, if it is time or ``force``; True if ``moved``, what has changed since, is more than it was."""
        started = time.monotonic()
        if started < self._due and not force:
            return False
        before, now = self.moved, self._measure()
        self.moved = before | {name for name, total in self._sums.items() if now.get(name, total) != total}
        ended = time.monotonic()
        self._due = ended + max(_SECONDS_BETWEEN, (ended - started) / _LARGEST_SHARE)
        return self.moved != before

    def _measure(self) -> dict[str, int]:
        moving = moving_names(self._model)
        still = {name: tensor for name, tensor in self._tensors() if name not in moving and tensor.numel()}
        if not still:
            return {}
        totals = torch.stack([_checksum(tensor) for tensor in still.values()]).tolist()
        return dict(zip(still, totals, strict=True))

    def _tensors(self) -> list[tuple[str, Tensor]]:
        return [*self._model.named_parameters(), *self._model.named_buffers()]


def _checksum(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    flat = (torch.view_as_real(tensor) if tensor.is_complex() else tensor).reshape(-1)
    return flat.view(_WORDS[flat.element_size()]).sum(dtype=torch.int64)
