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

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from fxtui.config import CacheConfig, Precision
from fxtui.engine.data.augmentation.views import Augmentation
from fxtui.engine.data.batch_order import plain_batches
from fxtui.engine.data.rows import ImageRows, Normaliser
from fxtui.engine.features.disk_cache import CacheFiles, cache_root
from fxtui.engine.features.feeds import AugmentedFeed, CachedFeed, Feed, LiveFeed, padded, per_image, report_broken
from fxtui.engine.features.memory_cache import CacheMemory, HeldCache
from fxtui.engine.features.prefix import InParts, Prefix, accelerate
from fxtui.engine.frontier.cut import Cut, bridge
from fxtui.protocol.events import CachePlace, CacheReady, Event, ExtractionProgress, RunWarning

_PROGRESS_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A cache that a cut asks for: ``shapes`` of all its rows, ``key`` empty where nothing is to be cached."""

    cut: Cut
    key: str
    shapes: tuple[tuple[int, ...], ...]
    dtype: torch.dtype

    @property
    def size(self) -> int:
        return sum(int(np.prod(shape, dtype=np.int64)) for shape in self.shapes) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Kept:
    """How the frozen part of a cut would be kept: a cache of so many bytes, 0 for none, and whether it is there.

    ``live`` is the prefix, where it runs in every training batch.
    """

    bytes: int
    ready: bool
    live: Prefix | None


@dataclass(frozen=True, slots=True)
class _Work:
    """How a cache is computed: batches of inputs in row order, and what is applied to them."""

    inputs: Iterator[tuple[Tensor, ...]]
    apply: Prefix
    reads_images: bool


class FeatureBank:
    """Gives a feed for a cut: from a cache it has, from one it computes now, or image by image where none fits.

    With an augmentation, training goes image by image and only the validation images, which are never augmented, are
    cached. ``emit`` takes events, ``check_stop`` is called between batches of an extraction and may raise to end it.
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
        augmentation: Augmentation | None = None,
    ) -> None:
        self._model = model
        self._images = images
        self._device = device
        self._precision = precision
        self._config = config
        self._batch_size = batch_size
        self._emit = emit
        self._check_stop = check_stop
        self._augmentation = augmentation
        self._normalise = Normaliser(images.preprocessing, device)
        self._labels = torch.from_numpy(images.labels).to(device)
        self._rows = np.arange(len(images)) if augmentation is None else images.val
        self._position = np.full(len(images), -1)
        self._position[self._rows] = np.arange(len(self._rows))
        limit = int(config.max_gb * 1e9)
        self._files = CacheFiles(cache_root(), limit)
        self._memory = CacheMemory(device, limit)
        self._in_use = ""
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
        """Say which parameters and buffers may have moved since the last feed; caches from before they did go."""
        for name in names:
            self._digests.pop(name, None)
        self._memory.keep_only(lambda key, cache: self._fingerprint(cache.cut, cache.feed.data[0].dtype) == key)

    def kept(self, cut: Cut) -> Kept:
        """How the frozen part of a cut would be kept, and whether it is already. Computes and loads nothing."""
        wanted, prefix, _ = self._wanted(cut)
        ready = bool(wanted.key) and (self._memory.holds(wanted.key) or self._files.find(wanted.key) is not None)
        room = bool(wanted.key) and self._fits(wanted.size, frozenset((self._in_use,))) is not None
        live = self._augmentation is not None or not (ready or room)
        return Kept(wanted.size if ready or room else 0, ready, prefix if live else None)

    def feed(self, cut: Cut) -> Feed:
        """A feed for a cut; says with `cache_ready` what it does. Broken images found on the way are left out.

        Raises:
            ConfigError: a class has no readable image left.
        """
        started = time.monotonic()
        wanted, prefix, slower = self._wanted(cut)
        live = LiveFeed(
            self._images, cut.tensors, prefix, self._normalise, self._labels, self._emit, self._augmentation
        )
        cache, reused, reads_images = self._obtain(wanted, prefix) if wanted.key else (None, False, False)
        self._in_use = wanted.key if cache else ""
        notes = (cut.note, slower, self._in_force(wanted, cached=cache is not None))
        self._emit(
            CacheReady(
                frontier=tuple(spec.name for spec in cut.tensors),
                shape=wanted.shapes,
                dtype=str(wanted.dtype).removeprefix("torch."),
                where=cache.where if cache else "none",
                bytes=wanted.size if cache else 0,
                reused=reused,
                images_read=reads_images,
                seconds=time.monotonic() - started if cache else 0.0,
                note="; ".join(filter(None, notes)),
            )
        )
        if cache is None:
            return live
        return cache.feed if self._augmentation is None else AugmentedFeed(live, cache.feed)

    def _wanted(self, cut: Cut) -> tuple[_Wanted, Prefix, str]:
        """What a cut asks for, the fastest prefix that agrees, and a note where the wanted precision was not kept."""
        prefix, dtype, slower = accelerate(cut.prefix, self._precision, self._device, (self.example(),))
        shapes = tuple((len(self._rows), *spec.image_shape) for spec in cut.tensors)
        key = self._fingerprint(cut, dtype) if self._config.enabled else ""
        return _Wanted(cut, key, shapes, dtype), InParts(prefix, self._say_in_parts), slower

    def _fits(self, size: int, keep: frozenset[str]) -> CachePlace | None:
        """Where so many bytes can go, dropping what is not in ``keep``; None if nowhere."""
        return self._memory.place_for(size, keep) or ("file" if size <= self._files.budget() else None)

    def _in_force(self, wanted: _Wanted, cached: bool) -> str:
        """What runs in every batch, and why; nothing where all is cached."""
        what = "images are read" if wanted.cut.at_input else "frozen layers run"
        why = f"{wanted.size / 2**30:,.1f} GiB fit nowhere" if self._config.enabled else "the cache is off"
        if self._augmentation is not None:
            augment = f"augment = {self._augmentation.name}: {what} in every"
            return f"{augment} training batch; validation is cached" if cached else f"{augment} batch; {why}"
        if cached:
            return ""
        return f"{what} in every {'epoch' if wanted.cut.at_input else 'batch'}: {why}"

    def _obtain(self, wanted: _Wanted, prefix: Prefix) -> tuple[HeldCache | None, bool, bool]:
        """The cache, None where it fits nowhere; whether it was there already; whether images were read for it."""
        key, cut = wanted.key, wanted.cut
        if held := self._memory.find(key):
            return held, True, False
        found = self._files.find(key)
        source = self._nearest(cut) if found is None else None
        keep = frozenset((self._in_use, source[0] if source else ""))
        where = self._fits(wanted.size, keep) or ("file" if found is not None else None)
        if where is None:
            return None, False, False
        self._memory.make_room(wanted.size, where, keep)
        reads_images = False
        if found is not None:
            data, broken = found
            report_broken(self._images, broken, self._emit)
            if where == "device":
                data = tuple(tensor.to(self._device) for tensor in data)
        else:
            work = self._plan(source, prefix)
            reads_images = work.reads_images
            data = self._compute(work, wanted, where)
        cache = HeldCache(cut, CachedFeed(cut.tensors, data, self._position, self._labels, self._device), where)
        self._memory.hold(key, cache)
        return cache, found is not None, reads_images

    def _nearest(self, cut: Cut) -> tuple[str, HeldCache, fx.GraphModule | None] | None:
        """The cache that the least computation leads on from, and that; None with the images' own, for the prefix."""
        best: tuple[str, HeldCache, fx.GraphModule | None] | None = None
        fewest = float("inf")
        for key, cache in self._memory:
            between = None if cache.cut.at_input else bridge(cache.cut, cut)
            nodes = len(between.graph.nodes) if between else float("inf")
            if nodes < fewest or (cache.cut.at_input and best is None):
                best, fewest = (key, cache, between), nodes
        return best

    def _plan(self, source: tuple[str, HeldCache, fx.GraphModule | None] | None, prefix: Prefix) -> _Work:
        """From a cache that is there if one leads on to the cut, else from the images."""
        if source is None:
            return _Work(self._from_images(), prefix, reads_images=True)
        _, cache, between = source
        inputs = cache.feed.in_order(self._batch_size)
        if between is None:
            return _Work(inputs, prefix, reads_images=False)
        first = next(cache.feed.in_order(self._batch_size))
        fast, _, _ = accelerate(between, self._precision, self._device, first)
        return _Work(
            inputs,
            InParts(fast, self._say_in_parts, tuple(spec.rows for spec in cache.cut.tensors)),
            reads_images=False,
        )

    def _say_in_parts(self, size: int) -> None:
        images = "one image" if size == 1 else f"{size} images"
        text = f"out of memory on {self._device}: frozen layers take {images} at a time from here on"
        self._emit(RunWarning(text=text))

    def _from_images(self) -> Iterator[tuple[Tensor, ...]]:
        broken: dict[int, str] = {}
        for rows, batch in self._images.read(plain_batches(self._rows, self._batch_size)):
            broken.update({int(rows[at]): why for at, why in batch.broken})
            yield (self._normalise(padded(batch.pixels, self._batch_size)),)
        report_broken(self._images, broken, self._emit)

    def _compute(self, work: _Work, wanted: _Wanted, where: CachePlace) -> tuple[Tensor, ...]:
        total = len(self._rows)
        if where == "file":
            data = self._files.create(wanted.key, wanted.shapes, wanted.dtype)
        else:
            place = self._device if where == "device" else torch.device("cpu")
            data = tuple(torch.zeros(shape, dtype=wanted.dtype, device=place) for shape in wanted.shapes)
        started = reported = time.monotonic()
        self._emit(ExtractionProgress(done=0, total=total, images_per_s=0.0))
        done = 0
        try:
            for tensors in work.inputs:
                self._check_stop()
                count = min(self._batch_size, total - done)
                for spec, kept, output in zip(wanted.cut.tensors, data, work.apply(*tensors), strict=True):
                    kept[done : done + count] = per_image(output, spec)[:count].to(kept.device)
                done += count
                now = time.monotonic()
                if now - reported >= _PROGRESS_SECONDS or done == total:
                    reported = now
                    rate = done / max(now - started, 1e-9)
                    self._emit(ExtractionProgress(done=done, total=total, images_per_s=rate))
        except BaseException:
            self._files.discard(wanted.key)
            raise
        self._persist(wanted, data, where)
        return data

    def _persist(self, wanted: _Wanted, data: tuple[Tensor, ...], where: CachePlace) -> None:
        try:
            if where == "file":
                self._files.finish(wanted.key, wanted.shapes, wanted.dtype, self._images.broken)
            else:
                self._files.store(wanted.key, data, self._images.broken)
        except OSError as error:
            self._files.discard(wanted.key)
            self._emit(RunWarning(text=f"the feature cache is not kept for later runs: {error}"))

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
            str(cut.tensors),
            str(nodes),
            str(cut.prefix.graph) if isinstance(cut.prefix, fx.GraphModule) else type(cut.prefix).__name__,
        ):
            digest.update(part.encode() + b"\0")
        digest.update(images.indices.tobytes() + self._rows.tobytes())
        if not cut.at_input:
            for name, tensor in sorted(self._frozen_tensors(cut)):
                if name not in self._digests:
                    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
                    self._digests[name] = hashlib.blake2b(raw, digest_size=16).digest()
                digest.update(name.encode() + self._digests[name])
        return digest.hexdigest()

    def _frozen_tensors(self, cut: Cut) -> list[tuple[str, Tensor]]:
        """What a prefix depends on, by name; where it was cut at the head without a graph, all but the head."""
        if isinstance(cut.prefix, fx.GraphModule):
            return list(cut.prefix.state_dict().items())
        head = cut.tensors[0].name + "."
        return [(name, tensor) for name, tensor in self._model.state_dict().items() if not name.startswith(head)]
