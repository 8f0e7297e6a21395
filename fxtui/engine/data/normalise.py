"""Pixels as bytes to what a backbone reads."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fxtui.engine.data.preprocess import Preprocessing


class Normaliser:
    """Pixels to what the backbone reads: 0..255 -> 0..1, then the weights' own mean and standard deviation."""

    def __init__(self, preprocessing: Preprocessing, device: torch.device) -> None:
        self._device = device
        self._mean = torch.tensor(preprocessing.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(preprocessing.std, device=device).view(1, 3, 1, 1)

    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        """[n, size, size, 3] bytes -> [n, 3, size, size] float32 on the device, contiguous."""
        tensor = torch.from_numpy(pixels)
        if self._device.type == "cuda":
            tensor = tensor.pin_memory().to(self._device, non_blocking=True)
        else:
            tensor = tensor.to(self._device)
        images = tensor.permute(0, 3, 1, 2).contiguous().float()
        return images.div_(255).sub_(self._mean).div_(self._std)
