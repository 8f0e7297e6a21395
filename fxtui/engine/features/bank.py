"""The feature bank: frontier tensors of every image, computed once and found again.

A cache is known by the fingerprint of what it depends on. One closer to the head is computed from one that is there
already; only where there is none are images read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fxtui.engine.data.batch_order import plain_batches
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.features.cache_fingerprint import Fingerprints
from fxtui.engine.features.disk_cache import CacheFiles, cache_root
from fxtui.engine.features.extraction import Extraction, ExtractionSettings, Work, nearest_start
from fxtui.engine.features.feeds import AugmentedFeed, CachedFeed, Feed, LiveFeed, report_broken
from fxtui.engine.features.memory_cache import CacheMemory, HeldCache
from fxtui.engine.features.prefix import Prefix, accelerate
from fxtui.engine.features.stored_rows import StoredRows, StoredTensor
from fxtui.engine.frontier.records import Cut
from fxtui.machine.directories import cache_home_note
from fxtui.protocol.events import CachePlace, CacheReady, Event, RunWarning


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
        settings: ExtractionSettings,
        emit: Callable[[Event], None],
        check_stop: Callable[[], None],
    ) -> None:
        self._images = images
        self._device = device
        self._settings = settings
        self._emit = emit
        self._labels = torch.from_numpy(images.labels).to(device)
        self._rows = np.arange(len(images)) if settings.augmentation is None else images.val
        self._position = np.full(len(images), -1)
        self._position[self._rows] = np.arange(len(self._rows))
        limit = int(settings.cache.max_gb * 1e9)
        self._files = CacheFiles(cache_root(), limit)
        self._not_kept = False
        self._given_up: set[str] = set()
        if note := cache_home_note():
            emit(RunWarning(text=note))
        self._memory = CacheMemory(device, limit)
        self._extraction = Extraction(images, self._rows, device, settings, emit, check_stop)
        self._fingerprints = Fingerprints(model, images, self._rows, settings.precision, settings.batch_size)
        self._in_use = ""
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
            self._example = self._extraction.normalise(np.stack([found[i % len(found)] for i in range(4)]))
        return self._example

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that all caches take, on the device or beside it; those in files take none."""
        return sum(cache.size for _, cache in self._memory if cache.where != "file")

    def weights_changed(self, names: frozenset[str]) -> None:
        """Say which parameters and buffers may have moved since the last feed; caches from before they did go."""
        self._fingerprints.forget(names)
        self._memory.keep_only(lambda key, cache: self._fingerprints.of(cache.cut, cache.feed.data[0].dtype) == key)

    def kept(self, cut: Cut) -> Kept:
        """How the frozen part of a cut would be kept, and whether it is already. Computes and loads nothing."""
        wanted, prefix, _ = self._wanted(cut)
        ready = bool(wanted.key) and (self._memory.holds(wanted.key) or self._files.find(wanted.key) is not None)
        room = bool(wanted.key) and self._fits(wanted.size, frozenset((self._in_use,))) is not None
        live = self._settings.augmentation is not None or not (ready or room)
        return Kept(wanted.size if ready or room else 0, ready, prefix if live else None)

    def feed(self, cut: Cut) -> Feed:
        """A feed for a cut; says with `cache_ready` what it does. Broken images found on the way are left out.

        Raises:
            ConfigError: a class has no readable image left.
        """
        started = time.monotonic()
        wanted, prefix, slower = self._wanted(cut)
        augmentation, normalise = self._settings.augmentation, self._extraction.normalise
        live = LiveFeed(self._images, cut.tensors, prefix, normalise, self._labels, self._emit, augmentation)
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
        return cache.feed if augmentation is None else AugmentedFeed(live, cache.feed)

    def _wanted(self, cut: Cut) -> tuple[_Wanted, Prefix, str]:
        """What a cut asks for, the fastest prefix that agrees, and a note where the wanted precision was not kept."""
        prefix, dtype, slower = accelerate(cut.prefix, self._settings.precision, self._device, (self.example(),))
        shapes = tuple((len(self._rows), *spec.image_shape) for spec in cut.tensors)
        key = self._fingerprints.of(cut, dtype) if self._settings.cache.enabled else ""
        return _Wanted(cut, key, shapes, dtype), self._extraction.in_parts(prefix), slower

    def _fits(self, size: int, keep: frozenset[str]) -> CachePlace | None:
        """Where so many bytes can go, dropping what is not in ``keep``; None if nowhere."""
        return self._memory.place_for(size, keep) or ("file" if size <= self._files.budget() else None)

    def _in_force(self, wanted: _Wanted, cached: bool) -> str:
        """What runs in every batch, and why; nothing where all is cached."""
        what = "images are read" if wanted.cut.at_input else "frozen layers run"
        why = f"{wanted.size / 2**30:,.1f} GiB fit nowhere" if self._settings.cache.enabled else "the cache is off"
        if (augmentation := self._settings.augmentation) is not None:
            augment = f"augment = {augmentation.name}: {what} in every"
            return f"{augment} training batch; validation is cached" if cached else f"{augment} batch; {why}"
        if cached:
            return ""
        if wanted.key in self._given_up:
            why = "the cache cannot be written"
        return f"{what} in every {'epoch' if wanted.cut.at_input else 'batch'}: {why}"

    def _obtain(self, wanted: _Wanted, prefix: Prefix) -> tuple[HeldCache | None, bool, bool]:
        """The cache, None where it fits nowhere; whether it was there already; whether images were read for it."""
        key, cut = wanted.key, wanted.cut
        if held := self._memory.find(key):
            return held, True, False
        found = self._files.find(key)
        start = nearest_start(self._memory, cut) if found is None else None
        keep = frozenset((self._in_use, start.key if start else ""))
        where = self._fits(wanted.size, keep) or ("file" if found is not None else None)
        if where is None:
            return None, False, False
        self._memory.make_room(wanted.size, where, keep)
        data = self._load(found, where) if found is not None else None
        reused, reads_images = data is not None, False
        if data is None:
            work = self._extraction.work(start, prefix)
            reads_images = work.reads_images
            data = self._compute(work, wanted, where)
        if data is None:
            return None, False, False
        instead = self._extraction.instead(prefix, cut.tensors, wanted.dtype) if where == "file" else None
        feed = CachedFeed(cut.tensors, data, self._position, self._labels, self._device, instead)
        cache = HeldCache(cut, feed, where)
        self._memory.hold(key, cache)
        return cache, reused, reads_images

    def _load(
        self, found: tuple[tuple[StoredRows, ...], dict[int, str]], where: CachePlace
    ) -> tuple[StoredTensor, ...] | None:
        """A cache that is on disk, where it is to be kept; None where it cannot be read."""
        data: tuple[StoredTensor, ...]
        data, broken = found
        if where != "file":
            place = self._device if where == "device" else torch.device("cpu")
            try:
                data = tuple(rows.read().to(place) for rows in found[0])
            except OSError as error:
                text = f"the feature cache cannot be read: {error.strerror}; it is computed again"
                self._emit(RunWarning(text=text))
                return None
        report_broken(self._images, broken, self._emit)
        return data

    def _compute(self, work: Work, wanted: _Wanted, where: CachePlace) -> tuple[StoredTensor, ...] | None:
        """The tensors of a cache; None where they were to be written to a file and cannot be."""
        stored: tuple[StoredRows, ...] = ()
        data: tuple[StoredTensor, ...]
        try:
            if where == "file":
                data = stored = self._files.create(wanted.key, wanted.shapes, wanted.dtype)
            else:
                place = self._device if where == "device" else torch.device("cpu")
                data = tuple(torch.zeros(shape, dtype=wanted.dtype, device=place) for shape in wanted.shapes)
            self._extraction.fill(work, wanted.cut.tensors, data)
            # What is not on the disk for certain is not to be read back from it.
            for rows in stored:
                rows.sync()
        except OSError as error:
            self._files.discard(wanted.key)
            if where != "file":
                raise
            if not self._given_up:
                text = f"the feature cache cannot be written: {error.strerror}; {_in_every_batch(wanted.cut)}"
                self._emit(RunWarning(text=text))
            self._given_up.add(wanted.key)
            return None
        except BaseException:
            self._files.discard(wanted.key)
            raise
        self._persist(wanted, data, stored)
        return data

    def _persist(self, wanted: _Wanted, data: tuple[StoredTensor, ...], stored: tuple[StoredRows, ...]) -> None:
        try:
            if stored:
                self._files.finish(wanted.key, stored, self._images.broken)
            else:
                held = [tensor for tensor in data if isinstance(tensor, Tensor)]
                self._files.store(wanted.key, held, self._images.broken)
        except OSError as error:
            # One in files that were opened already can be read on all the same.
            self._files.discard(wanted.key)
            if not self._not_kept:
                self._emit(RunWarning(text=f"the feature cache is not kept for later runs: {error.strerror}"))
            self._not_kept = True


def _in_every_batch(cut: Cut) -> str:
    return f"{'images are read' if cut.at_input else 'frozen layers run'} in every batch"
