"""Feature extraction as one would have written it: a ``DataLoader``, fp32, ``torch.no_grad``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from fxtui.engine.data.preprocess import Preprocessing


class JpegFiles(Dataset[Tensor]):
    """Image files through torchvision's own transforms; an item is [3, H, W], normalised."""

    def __init__(self, paths: Sequence[Path], preprocessing: Preprocessing) -> None:
        self._paths = paths
        self._transform = transforms.Compose(
            [
                transforms.Resize(preprocessing.resize),
                transforms.CenterCrop(preprocessing.crop),
                transforms.ToTensor(),
                transforms.Normalize(preprocessing.mean, preprocessing.std),
            ]
        )

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self._paths[index]) as image:
            return cast(Tensor, self._transform(image.convert("RGB")))


class MemoryImages(Dataset[Tensor]):
    """Images [n, 3, H, W] that are in memory already, normalised."""

    def __init__(self, images: Tensor) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:
        return self._images[index]


def make_loader(dataset: Dataset[Tensor], batch: int, workers: int, device: torch.device) -> DataLoader[Tensor]:
    """Batches [batch, 3, H, W]. Workers stay from one pass to the next, so that only the first one waits for them."""
    return DataLoader(
        dataset,
        batch_size=batch,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )


def loader_features(loader: DataLoader[Tensor], backbone: nn.Module, device: torch.device) -> Tensor:
    """The features [n, F] of all images; ``backbone`` is the network without its head, in eval mode on the device."""
    with torch.no_grad():
        return torch.cat([backbone(batch.to(device, non_blocking=True)) for batch in loader])
