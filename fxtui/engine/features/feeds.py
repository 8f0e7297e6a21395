"""What hands batches to the suffix: from a cache by index, or image by image through the prefix."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fxtui.engine.data.augmentation.views import Augmentation
from fxtui.engine.data.batch_order import plain_batches
from fxtui.engine.data.normalise import Normaliser
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.features.prefix import Prefix
from fxtui.engine.features.stored_rows import StoredTensor, blocks_of
from fxtui.engine.frontier.records import FrontierTensor
from fxtui.protocol.events import Event, ImagesSkipped

Rows = NDArray[np.int64]
_Item = TypeVar("_Item", bound=np.generic)

# Bytes, a multiple of an integer's eight.
_CHECKSUM_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Batch:
    """Frontier tensors of a batch, as the suffix reads them, with labels [n] on the device."""

    tensors: tuple[Tensor, ...]
    labels: Tensor


class Feed(Protocol):
    """Hands out batches by row."""

    @property
    def runs_prefix(self) -> bool:
        """Whether the frozen layers are computed in every training batch."""

    @property
    def checksum(self) -> str:
        """A digest of the cached frontier tensors, computed when first asked for; "" where nothing is cached."""

    def batches(self, rows: Sequence[Rows], epoch: int | None = None) -> Iterator[Batch]:
        """One batch for each array of rows, in order.

        With the epoch, counted from 0, the images as training sees them then, augmented where that is asked for;
        without it, the plain images.
        """

    def cached(self, row: int) -> tuple[Tensor, ...] | None:
        """The frontier tensors of one image, as a batch of one; None where they are not cached."""


@dataclass(frozen=True)
class CachedFeed:
    """Batches by index from tensors that are kept.

    ``data[i]`` is [cached rows, *tensors[i].image_shape]; ``position`` [images] says where a row lies in it, -1 if it
    is not cached. ``instead`` computes places in ``data`` from their images where a file cannot be read, and says
    which of them it could, by their number among those asked for.
    """

    tensors: tuple[FrontierTensor, ...]
    data: tuple[StoredTensor, ...]
    position: Rows
    labels: Tensor
    device: torch.device
    instead: Callable[[Rows, OSError], tuple[tuple[Tensor, ...], Rows]] | None = None
    runs_prefix: bool = False

    @cached_property
    def checksum(self) -> str:
        """Over the sums of short blocks, their bits read as integers: exact anywhere, at the speed of the memory.

        Empty where a file cannot be read: it is not known then whether anything differs.
        """
        digest = hashlib.blake2b(digest_size=16)
        for data in self.data:
            digest.update(f"{data.dtype} {tuple(data.shape)}".encode())
            try:
                for raw in blocks_of(data, _CHECKSUM_BLOCK << 12):
                    whole = len(raw) // _CHECKSUM_BLOCK * _CHECKSUM_BLOCK
                    sums = raw[:whole].view(torch.int64).reshape(-1, _CHECKSUM_BLOCK // 8).sum(1)
                    digest.update(sums.cpu().numpy().tobytes() + raw[whole:].cpu().numpy().tobytes())
            except OSError:
                return ""
        return digest.hexdigest()

    def batches(self, rows: Sequence[Rows], epoch: int | None = None) -> Iterator[Batch]:  # noqa: ARG002  # all alike
        """Taken by index, which copies: nothing that works in place can write into the cache."""
        for some in rows:
            tensors, good = self._take(self.position[some])
            if good is not None:
                some, tensors = some[good], tuple(tensor[torch.from_numpy(good)] for tensor in tensors)
            labels = self.labels.index_select(0, torch.from_numpy(some).to(self.device))
            yield Batch(tensors, labels)

    def cached(self, row: int) -> tuple[Tensor, ...] | None:
        """None for a row that the cache was computed without."""
        place = self.position[row : row + 1]
        return self.at(place) if place[0] >= 0 else None

    def in_order(self, batch_size: int) -> Iterator[tuple[Tensor, ...]]:
        """Everything cached, as the suffix reads it, in batches that all have the same size; the last is padded."""
        for places in plain_batches(np.arange(len(self.data[0])), batch_size):
            yield self.at(padded(places, batch_size))

    def at(self, places: Rows) -> tuple[Tensor, ...]:
        """The frontier tensors of these places in the cache, copied to the device in fp32."""
        return self._take(places)[0]

    def _take(self, places: Rows) -> tuple[tuple[Tensor, ...], Rows | None]:
        """See :meth:`at`; with the numbers of those among them that could be had, None where that is all."""
        index, good = torch.from_numpy(places), None
        try:
            taken = tuple(data.index_select(0, index.to(data.device)) for data in self.data)
        except OSError as error:
            if self.instead is None:
                raise
            taken, good = self.instead(places, error)
            good = good if len(good) < len(places) else None
        arranged = (spec.arrange(some.to(self.device).float()) for spec, some in zip(self.tensors, taken, strict=True))
        return tuple(arranged), good


@dataclass(frozen=True, slots=True)
class LiveFeed:
    """Batches from pixels through the prefix, each time anew. Broken images are left out of their batch."""

    images: ImageRows
    tensors: tuple[FrontierTensor, ...]
    prefix: Prefix
    normalise: Normaliser
    labels: Tensor
    emit: Callable[[Event], None]
    augmentation: Augmentation | None = None
    runs_prefix: bool = True
    checksum: str = ""

    def batches(self, rows: Sequence[Rows], epoch: int | None = None) -> Iterator[Batch]:
        """The images are decoded ahead by threads while the device computes."""
        view = None if self.augmentation is None or epoch is None else partial(self.augmentation.view, epoch=epoch)
        for here, pixels in self.images.read(rows, view):
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

    def cached(self, row: int) -> None:
        """Nothing is: the prefix runs every time."""


@dataclass(frozen=True, slots=True)
class AugmentedFeed:
    """Training batches from views of the images, which differ in every epoch; the plain images from a cache."""

    views: LiveFeed
    plain: CachedFeed
    runs_prefix: bool = True

    @property
    def checksum(self) -> str:
        """That of the cache."""
        return self.plain.checksum

    def batches(self, rows: Sequence[Rows], epoch: int | None = None) -> Iterator[Batch]:
        """Views with an epoch, the cached plain images without."""
        return self.plain.batches(rows) if epoch is None else self.views.batches(rows, epoch)

    def cached(self, row: int) -> tuple[Tensor, ...] | None:
        """Of the plain image."""
        return self.plain.cached(row)


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


def padded(batch: NDArray[_Item], size: int) -> NDArray[_Item]:
    """A batch filled up to its fixed size, so that an image's features do not depend on how many came with it."""
    if len(batch) == size:
        return batch
    return np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), batch.dtype)])
