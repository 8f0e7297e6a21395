"""Feature caches that a run holds: found again when the boundary comes back, those unused longest dropped first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import psutil
import torch

from fxtui.engine.features.feeds import CachedFeed
from fxtui.engine.frontier.records import Cut
from fxtui.protocol.events import CachePlace

MemoryPlace = Literal["device", "host"]
_SHARE_OF_FREE_MEMORY = 0.5


@dataclass(frozen=True, slots=True)
class HeldCache:
    """The cache of a cut: its dtype is the feed's, ``where`` it lies is for the user."""

    cut: Cut
    feed: CachedFeed
    where: CachePlace

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(tensor.nbytes for tensor in self.feed.data)


class CacheMemory:
    """Caches by fingerprint, of ``max_bytes`` on the device and in the host's memory each.

    0: half of what was available when this was made. A cache in a file takes no room here.
    """

    def __init__(self, device: torch.device, max_bytes: int = 0) -> None:
        self._device = device
        self._caches: dict[str, HeldCache] = {}
        self._budget = {
            place: max_bytes or int(self._available(place) * _SHARE_OF_FREE_MEMORY) for place in self._places()
        }

    def __iter__(self) -> Iterator[tuple[str, HeldCache]]:
        return iter(tuple(self._caches.items()))

    def holds(self, key: str) -> bool:
        """Whether a cache is held."""
        return key in self._caches

    def find(self, key: str) -> HeldCache | None:
        """A cache that is held; it counts as used now."""
        if (cache := self._caches.pop(key, None)) is not None:
            self._caches[key] = cache
        return cache

    def hold(self, key: str, cache: HeldCache) -> None:
        """Take in a cache, for which :meth:`make_room` has been called."""
        self._caches[key] = cache

    def keep_only(self, valid: Callable[[str, HeldCache], bool]) -> None:
        """Drop all others."""
        self._caches = {key: cache for key, cache in self._caches.items() if valid(key, cache)}

    def place_for(self, size: int, keep: frozenset[str]) -> MemoryPlace | None:
        """Where ``size`` bytes fit once everything is dropped but the caches in ``keep``; None if nowhere."""
        for place in self._places():
            spare = sum(cache.size for key, cache in self if cache.where == place and key not in keep)
            if size <= min(self._budget[place], self._available(place) * _SHARE_OF_FREE_MEMORY + spare):
                return place
        return None

    def make_room(self, size: int, place: CachePlace, keep: frozenset[str]) -> None:
        """Drop what was not used for longest, but nothing in ``keep``, until ``size`` more bytes are in the budget."""
        if place not in self._budget:
            return
        over = size + sum(cache.size for _, cache in self if cache.where == place) - self._budget[place]
        for key, cache in self:
            if over > 0 and cache.where == place and key not in keep:
                del self._caches[key]
                over -= cache.size

    def _places(self) -> tuple[MemoryPlace, ...]:
        return ("device", "host") if self._device.type == "cuda" else ("host",)

    def _available(self, place: MemoryPlace) -> int:
        if place == "host":
            return int(psutil.virtual_memory().available)
        idle = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return int(torch.cuda.mem_get_info(self._device)[0]) + idle
