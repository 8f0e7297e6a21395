"""What hands batches to the suffix: from a cache by index, or image by image through the prefix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fxtui.engine.fast_prefix import Prefix
from fxtui.engine.frontier import FrontierTensor
from fxtui.engine.images import ImageRows, Normaliser
from fxtui.run.events import Event, ImagesSkipped

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Frontier tensors of a batch, as the suffix reads them, with labels [n] on the device."""

    tensors: tuple[Tensor, ...]
    labels: Tensor


class Feed(Protocol):
    """Hands out batches by row."""

    def batches(self, rows: Sequence[Rows]) -> Iterator[Batch]:
        """One batch for each array of rows, in order."""


@dataclass(frozen=True, slots=True)
class CachedFeed:
    """Batches by index from tensors that are kept; ``data[i]`` is [images, *tensors[i].image_shape]."""

    tensors: tuple[FrontierTensor, ...]
    data: tuple[Tensor, ...]
    labels: Tensor
    device: torch.device

    def batches(self, rows: Sequence[Rows]) -> Iterator[Batch]:
        """Taken by index, which copies: nothing that works in place can write into the cache."""
        for some in rows:
            index = torch.from_numpy(some)
            parts = tuple(
                spec.arrange(data.index_select(0, index.to(data.device)).to(self.device).float())
                for spec, data in zip(self.tensors, self.data, strict=True)
            )
            yield Batch(parts, self.labels.index_select(0, index.to(self.device)))


@dataclass(frozen=True, slots=True)
class LiveFeed:
    """Batches from pixels through the prefix, each time anew. Broken images are left out of their batch."""

    images: ImageRows
    tensors: tuple[FrontierTensor, ...]
    prefix: Prefix
    normalise: Normaliser
    labels: Tensor
    emit: Callable[[Event], None]

    def batches(self, rows: Sequence[Rows]) -> Iterator[Batch]:
        """The images are decoded ahead by threads while the device computes."""
        for here, pixels in self.images.read(rows):
            if pixels.broken:
                report_broken(self.images, {int(here[at]): why for at, why in pixels.broken}, self.emit)
            good = np.setdiff1d(np.arange(len(here)), [at for at, _ in pixels.broken])
            labels = self.labels.index_select(0, torch.from_numpy(here[good]).to(self.labels.device))
            outputs = self.prefix(self.normalise(pixels.pixels[good])) if len(good) else ()
            # Tensors made in inference mode may not enter autograd; a copy may.
            parts = tuple(
                spec.arrange(per_image(output, spec).float().clone())
                for spec, output in zip(self.tensors, outputs, strict=False)
            )
            yield Batch(parts, labels)


def report_broken(images: ImageRows, broken: dict[int, str], emit: Callable[[Event], None]) -> None:
    """Leave broken images out and say which.

    Raises:
        ConfigError: a class has no readable image left.
    """
    if skipped := images.drop(broken):
        emit(ImagesSkipped(skipped=skipped, train=len(images.train), val=len(images.val)))


def per_image(output: Tensor, spec: FrontierTensor) -> Tensor:
    """[n * rows, ...] -> [n, *image_shape]"""
    return output.reshape(-1, *spec.image_shape)
