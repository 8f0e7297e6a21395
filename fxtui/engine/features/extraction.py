"""Frontier tensors of all images computed: from the images, or from a cache that lies on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from fxtui.config import CacheConfig, Precision, RunConfig
from fxtui.engine.data.augmentation.views import Augmentation
from fxtui.engine.data.batch_order import plain_batches
from fxtui.engine.data.normalise import Normaliser
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.features.feeds import padded, per_image, report_broken
from fxtui.engine.features.in_parts import InParts
from fxtui.engine.features.memory_cache import HeldCache
from fxtui.engine.features.prefix import Prefix, accelerate
from fxtui.engine.features.stored_rows import StoredTensor, put
from fxtui.engine.frontier.bridge import bridge
from fxtui.engine.frontier.records import Cut, FrontierTensor
from fxtui.protocol.events import Event, ExtractionProgress, RunWarning

_PROGRESS_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class ExtractionSettings:
    """How features are extracted and kept. ``batch_size`` is fixed: the last batch is padded to it.

    With an ``augmentation`` training goes image by image, and only the validation images are extracted.
    """

    precision: Precision
    cache: CacheConfig
    batch_size: int
    augmentation: Augmentation | None = None

    @classmethod
    def of(cls, config: RunConfig, images: ImageRows) -> ExtractionSettings:
        """What a configuration asks for."""
        augment, presized = config.data.augment, images.source.presized
        augmentation = Augmentation.of(augment, images.preprocessing, presized, config.seed)
        return cls(config.train.precision, config.cache, config.data.batch_size, augmentation)


@dataclass(frozen=True, slots=True)
class Start:
    """A cache that a computation may start from; ``between`` leads on from it, None where it holds the images."""

    key: str
    cache: HeldCache
    between: fx.GraphModule | None


@dataclass(frozen=True, slots=True)
class Work:
    """How a cache is computed: batches of inputs in row order, and what is applied to them."""

    inputs: Iterator[tuple[Tensor, ...]]
    apply: Prefix
    reads_images: bool


class Extraction:
    """Computes the frontier tensors of ``rows`` of the images.

    ``emit`` takes events, ``check_stop`` is called between batches and may raise to end it.
    """

    def __init__(
        self,
        images: ImageRows,
        rows: NDArray[np.int64],
        device: torch.device,
        settings: ExtractionSettings,
        emit: Callable[[Event], None],
        check_stop: Callable[[], None],
    ) -> None:
        self._images = images
        self._rows = rows
        self._device = device
        self._settings = settings
        self._emit = emit
        self._check_stop = check_stop
        self.normalise = Normaliser(images.preprocessing, device)
        self._told_unread = False

    def work(self, start: Start | None, prefix: Prefix) -> Work:
        """From a cache that is there if one leads on to the cut, else from the images through ``prefix``."""
        if start is None:
            return Work(self._from_images(), prefix, reads_images=True)
        size, feed = self._settings.batch_size, start.cache.feed
        inputs = feed.in_order(size)
        if start.between is None:
            return Work(inputs, prefix, reads_images=False)
        first = next(feed.in_order(size))
        fast, _, _ = accelerate(start.between, self._settings.precision, self._device, first)
        rows = tuple(spec.rows for spec in start.cache.cut.tensors)
        return Work(inputs, self.in_parts(fast, rows), reads_images=False)

    def fill(self, work: Work, tensors: Sequence[FrontierTensor], data: Sequence[StoredTensor]) -> None:
        """Compute ``data[i]`` [rows, *tensors[i].image_shape], saying how far it is at most ten times a second.

        Raises:
            OSError: a file cannot be written.
            Whatever ``check_stop`` raises.
        """
        total, size = len(self._rows), self._settings.batch_size
        started = reported = time.monotonic()
        self._emit(ExtractionProgress(done=0, total=total, images_per_s=0.0))
        done = 0
        for inputs in work.inputs:
            self._check_stop()
            count = min(size, total - done)
            for spec, kept, output in zip(tensors, data, work.apply(*inputs), strict=True):
                put(kept, done, per_image(output, spec)[:count])
            done += count
            now = time.monotonic()
            if now - reported >= _PROGRESS_SECONDS or done == total:
                reported = now
                rate = done / max(now - started, 1e-9)
                self._emit(ExtractionProgress(done=done, total=total, images_per_s=rate))

    def instead(
        self, prefix: Prefix, tensors: Sequence[FrontierTensor], dtype: torch.dtype
    ) -> Callable[[NDArray[np.int64], OSError], tuple[tuple[Tensor, ...], NDArray[np.int64]]]:
        """What computes rows by their places in a cache whose file cannot be read, to the bit as they were computed.

        It says so once, and returns the numbers, among those asked for, of the images that could be read.
        """

        def compute(places: NDArray[np.int64], error: OSError) -> tuple[tuple[Tensor, ...], NDArray[np.int64]]:
            if not self._told_unread:
                text = f"the feature cache cannot be read: {error.strerror}; what is missing is computed again"
                self._emit(RunWarning(text=text))
            self._told_unread = True
            size = self._settings.batch_size
            parts: list[list[Tensor]] = [[] for _ in tensors]
            broken: dict[int, str] = {}
            good = np.ones(len(places), dtype=bool)
            at = 0
            for rows, batch in self._images.read(plain_batches(self._rows[places], size)):
                for number, why in batch.broken:
                    good[at + number], broken[int(rows[number])] = False, why
                outputs = prefix(self.normalise(padded(batch.pixels, size)))
                for part, spec, output in zip(parts, tensors, outputs, strict=True):
                    # Tensors made in inference mode may not enter autograd; a copy may.
                    part.append(per_image(output, spec)[: len(rows)].to(dtype).clone())
                at += len(rows)
            if broken:
                report_broken(self._images, broken, self._emit)
            return tuple(torch.cat(part) for part in parts), np.flatnonzero(good)

        return compute

    def in_parts(self, prefix: Prefix, rows: tuple[int, ...] = (1,)) -> Prefix:
        """A prefix that goes on with fewer images at a time where memory runs out, and says so."""

        def say(size: int) -> None:
            images = "one image" if size == 1 else f"{size} images"
            text = f"out of memory on {self._device}: frozen layers take {images} at a time from here on"
            self._emit(RunWarning(text=text))

        return InParts(prefix, say, rows)

    def _from_images(self) -> Iterator[tuple[Tensor, ...]]:
        broken: dict[int, str] = {}
        size = self._settings.batch_size
        for rows, batch in self._images.read(plain_batches(self._rows, size)):
            broken.update({int(rows[at]): why for at, why in batch.broken})
            yield (self.normalise(padded(batch.pixels, size)),)
        report_broken(self._images, broken, self._emit)


def nearest_start(caches: Iterable[tuple[str, HeldCache]], cut: Cut) -> Start | None:
    """Of caches by key, the one that the least computation leads on from to a cut; None where none does."""
    best: Start | None = None
    fewest = float("inf")
    for key, cache in caches:
        between = None if cache.cut.at_input else bridge(cache.cut, cut)
        nodes = len(between.graph.nodes) if between else float("inf")
        if nodes < fewest or (cache.cut.at_input and best is None):
            best, fewest = Start(key, cache, between), nodes
    return best
