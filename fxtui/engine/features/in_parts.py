"""A prefix where the device's memory is short: fewer images at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fxtui.engine.features.prefix import Prefix


class InParts:
    """A prefix that goes on with half the images at a time, and half of those, where the device runs out of memory.

    It keeps to the smaller size from then on; ``say`` is told that size, in images, once it has worked. ``rows`` is the
    number of entries that an image has along the first dimension of each input.
    """

    def __init__(self, prefix: Prefix, say: Callable[[int], None], rows: tuple[int, ...] = (1,)) -> None:
        self._prefix = prefix
        self._say = say
        self._rows = rows
        self._size: int | None = None

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The prefix's outputs for the whole batch.

        Raises:
            torch.OutOfMemoryError: not even one image fits.
        """
        count = len(inputs[0]) // self._rows[0]
        before, size = self._size, min(self._size or count, count)
        while True:
            try:
                outputs = self._apply(inputs, count, size)
                break
            except torch.OutOfMemoryError:
                if size <= 1:
                    raise
                size = self._size = -(-size // 2)
            # Out of the handler, whose traceback holds on to the tensors of the failed attempt.
            if inputs[0].device.type == "cuda":
                torch.cuda.empty_cache()
        if self._size != before:
            self._say(size)
        return outputs

    def _apply(self, inputs: tuple[Tensor, ...], count: int, size: int) -> tuple[Tensor, ...]:
        if size >= count:
            return self._prefix(*inputs)
        parts = [
            self._prefix(*(t[at * rows : (at + size) * rows] for t, rows in zip(inputs, self._rows, strict=True)))
            for at in range(0, count, size)
        ]
        return tuple(torch.cat(outputs) for outputs in zip(*parts, strict=True))
