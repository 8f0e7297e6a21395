"""The feature bank: frontier tensors of every image, computed once and found again.

A cache is known by a fingerprint of everything it depends on, the frozen weights' bytes included, so one computed
before a layer trained is never taken for one computed after. A cache closer to the head is computed from one that is
there already; only where there is none are images read.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from fxtui.config import CacheConfig, Precision
from fxtui.engine.cache_files import CacheFiles, cache_root
from fxtui.engine.fast_prefix import Prefix, accelerate
from fxtui.engine.feeds import CachedFeed, Feed, LiveFeed, per_image, report_broken
from fxtui.engine.frontier import Cut, bridge
from fxtui.engine.images import ImageRows, Normaliser
from fxtui.engine.order import plain_batches
from fxtui.run.events import CachePlace, CacheReady, Event, ExtractionProgress, Warning

_SHARE_OF_FREE_MEMORY = 0.5
_PROGRESS_SECONDS = 0.1
_Item = TypeVar("_Item", bound=np.generic)


@dataclass(frozen=True, slots=True)
class _Cache:
    cut: Cut
    data: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class _Work:
    """How a cache is computed: batches of inputs in row order, and what is applied to them."""

    inputs: Iterator[tuple[Tensor, ...]]
    apply: Prefix
    reads_images: bool


class FeatureBank:
    """Gives a feed for a cut: from a cache it has, from one it computes now, or image by image where none fits.

    ``emit`` takes events, ``check_stop`` is called between batches of an extraction and may raise to end it.
    """

    def __init__(
        self,
        model: nn.Module,
        images: ImageRows,
        device: torch.device,
        precision: Precision,
        config: CacheConfig,
        batch_size: int,
        emit: Callable[[Event], None],
        check_stop: Callable[[], None],
    ) -> None:
        self._model = model
        self._images = images
        self._device = device
        self._precision = precision
        self._config = config
        self._batch_size = batch_size
        self._emit = emit
        self._check_stop = check_stop
        self._normalise = Normaliser(images.preprocessing, device)
        self._labels = torch.from_numpy(images.labels).to(device)
        self._files = CacheFiles(cache_root(), int(config.max_gb * 1e9))
        self._caches: dict[str, _Cache] = {}
        self._digests: dict[str, bytes] = {}
        self._example: Tensor | None = None

    def example(self) -> Tensor:
        """The first four readable images, [4, 3, H, W] on the device; repeated where there are fewer."""
        if self._example is None:
            found: list[NDArray[np.uint8]] = []
            for _, batch in self._images.read(plain_batches(np.arange(len(self._images)), 4)):
                broken = {at for at, _ in batch.broken}
                found += [image for at, image in enumerate(batch.pixels) if at not in broken]
                if len(found) >= 4:
                    break
            size = self._images.preprocessing.crop
            found = found or [np.zeros((size, size, 3), np.uint8)]
            self._example = self._normalise(np.stack([found[i % len(found)] for i in range(4)]))
        return self._example

    def weights_changed(self, names: frozenset[str]) -> None:
        """Say which parameters and buffers may have moved since the last feed."""
        for name in names:
            self._digests.pop(name, None)

    def feed(self, cut: Cut) -> Feed:
        """A feed for a cut; says with `cache_ready` what it does. Broken images found on the way are left out.

        Raises:
            ConfigError: a class has no readable image left.
        """
        started = time.monotonic()
        prefix, dtype, note = accelerate(cut.prefix, self._precision, self._device, (self.example(),))
        note = "; ".join(filter(None, (cut.note, note)))
        shapes = [(len(self._images), *spec.image_shape) for spec in cut.tensors]
        size = sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes) * dtype.itemsize
        key = self._fingerprint(cut, dtype) if self._config.enabled else ""
        ready = CacheReady(
            frontier=tuple(spec.name for spec in cut.tensors),
            shape=tuple(shapes),
            dtype=str(dtype).removeprefix("torch."),
            where="none",
            bytes=0,
            reused=False,
            note=note,
        )
        data, where, reused, reads = self._find(key, size)
        if data is None and where == "none":
            why = "the cache is off" if not self._config.enabled else f"{size / 2**30:,.1f} GiB fit nowhere"
            what = "images are read every epoch" if cut.at_input else "frozen layers run in every batch"
            self._emit(msgspec.structs.replace(ready, note="; ".join(filter(None, (note, f"{what}: {why}")))))
            return LiveFeed(self._images, cut.tensors, prefix, self._normalise, self._labels, self._emit)
        if data is None:
            work = self._plan(cut, prefix)
            reads = work.reads_images
            data = self._compute(work, cut, key, shapes, dtype, where)
        self._caches[key] = _Cache(cut, data)
        self._emit(
            msgspec.structs.replace(
                ready,
                where=where,
                bytes=size,
                reused=reused,
                images_read=reads,
                seconds=time.monotonic() - started,
            )
        )
        return CachedFeed(cut.tensors, data, self._labels, self._device)

    def _find(self, key: str, size: int) -> tuple[tuple[Tensor, ...] | None, CachePlace, bool, bool]:
        """A cache that is there, or where a new one of ``size`` bytes goes."""
        if not self._config.enabled:
            return None, "none", False, False
        if cache := self._caches.get(key):
            place: CachePlace = "device" if cache.data[0].device.type != "cpu" else "host"
            return cache.data, place, True, False
        place = self._place(size)
        if (found := self._files.find(key)) is None:
            return None, place, False, True
        data, broken = found
        report_broken(self._images, broken, self._emit)
        if place == "device":
            data = tuple(tensor.to(self._device) for tensor in data)
        return data, "file" if place in ("file", "none") else place, True, False

    def _plan(self, cut: Cut, prefix: Prefix) -> _Work:
        """From the nearest valid cache if the frontier can be computed from one, else from the images."""
        best: tuple[int, fx.GraphModule, _Cache] | None = None
        for key, cache in self._caches.items():
            if cache.cut.at_input or self._fingerprint(cache.cut, cache.data[0].dtype) != key:
                continue
            if (between := bridge(cache.cut, cut)) is not None:
                nodes = len(between.graph.nodes)
                best = min(best or (nodes, between, cache), (nodes, between, cache), key=lambda option: option[0])
        if best is None:
            return _Work(self._from_images(), prefix, reads_images=True)
        _, between, cache = best
        inputs = self._from_cache(cache)
        first = next(self._from_cache(cache))
        fast, _, _ = accelerate(between, self._precision, self._device, first)
        return _Work(inputs, fast, reads_images=False)

    def _from_images(self) -> Iterator[tuple[Tensor, ...]]:
        broken: dict[int, str] = {}
        for rows, batch in self._images.read(plain_batches(np.arange(len(self._images)), self._batch_size)):
            broken.update({int(rows[at]): why for at, why in batch.broken})
            yield (self._normalise(_padded(batch.pixels, self._batch_size)),)
        report_broken(self._images, broken, self._emit)

    def _from_cache(self, cache: _Cache) -> Iterator[tuple[Tensor, ...]]:
        for rows in plain_batches(np.arange(len(self._images)), self._batch_size):
            index = torch.from_numpy(_padded(rows, self._batch_size))
            yield tuple(
                spec.arrange(data.index_select(0, index.to(data.device)).to(self._device).float())
                for spec, data in zip(cache.cut.tensors, cache.data, strict=True)
            )

    def _compute(
        self, work: _Work, cut: Cut, key: str, shapes: list[tuple[int, ...]], dtype: torch.dtype, where: CachePlace
    ) -> tuple[Tensor, ...]:
        total = len(self._images)
        if where == "file":
            data = self._files.create(key, shapes, dtype)
        else:
            place = self._device if where == "device" else torch.device("cpu")
            data = tuple(torch.zeros(shape, dtype=dtype, device=place) for shape in shapes)
        started = reported = time.monotonic()
        self._emit(ExtractionProgress(done=0, total=total, images_per_s=0.0))
        done = 0
        try:
            for tensors in work.inputs:
                self._check_stop()
                count = min(self._batch_size, total - done)
                for spec, kept, output in zip(cut.tensors, data, work.apply(*tensors), strict=True):
                    kept[done : done + count] = per_image(output, spec)[:count].to(kept.device)
                done += count
                now = time.monotonic()
                if now - reported >= _PROGRESS_SECONDS or done == total:
                    reported = now
                    rate = done / max(now - started, 1e-9)
                    self._emit(ExtractionProgress(done=done, total=total, images_per_s=rate))
        except BaseException:
            self._files.discard(key)
            raise
        self._persist(key, data, shapes, dtype, where)
        return data

    def _persist(
        self, key: str, data: tuple[Tensor, ...], shapes: list[tuple[int, ...]], dtype: torch.dtype, where: CachePlace
    ) -> None:
        try:
            if where == "file":
                self._files.finish(key, shapes, dtype, self._images.broken)
            else:
                self._files.store(key, data, self._images.broken)
        except OSError as error:
            self._files.discard(key)
            self._emit(Warning(text=f"the feature cache is not kept for later runs: {error}"))

    def _place(self, size: int) -> CachePlace:
        """Where a cache of this many bytes goes."""
        limit = self._config.max_gb * 1e9 if self._config.max_gb else float("inf")
        if size > limit:
            return "none"
        if self._device.type == "cuda" and size <= torch.cuda.mem_get_info(self._device)[0] * _SHARE_OF_FREE_MEMORY:
            return "device"
        if size <= psutil.virtual_memory().available * _SHARE_OF_FREE_MEMORY:
            return "host"
        return "file" if size <= self._files.budget() else "none"

    def _fingerprint(self, cut: Cut, dtype: torch.dtype) -> str:
        images = self._images
        digest = hashlib.blake2b(digest_size=20)
        nodes = cut.source.nodes if cut.source else ()
        for part in (
            images.source.fingerprint(),
            images.preprocessing.fingerprint(),
            self._precision,
            str(dtype),
            str(self._batch_size),
            str([(spec.name, spec.rows, spec.shape) for spec in cut.tensors]),
            str(nodes),
            str(cut.prefix.graph) if isinstance(cut.prefix, fx.GraphModule) else type(cut.prefix).__name__,
        ):
            digest.update(part.encode() + b"\0")
        digest.update(images.indices.tobytes())
        if not cut.at_input:
            held = cut.prefix if isinstance(cut.prefix, fx.GraphModule) else self._model
            for name, tensor in sorted(held.state_dict().items()):
                if name not in self._digests:
                    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
                    self._digests[name] = hashlib.blake2b(raw, digest_size=16).digest()
                digest.update(name.encode() + self._digests[name])
        return digest.hexdigest()


def _padded(batch: NDArray[_Item], size: int) -> NDArray[_Item]:
    """A batch filled up to its fixed size, so that an image's features do not depend on how many came with it."""
    if len(batch) == size:
        return batch
    return np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), batch.dtype)])
