"""The caches of features on this machine: what each is of, how large, how old. They are made in the engine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from fxtui.run.catalogue import size_of

# A digest; one under way has its maker's process behind it.
_NAME = re.compile(r"[0-9a-f]{40}")
_UNDER_WAY = re.compile(r"\.[0-9a-f]{40}\.(?P<pid>\d+)")


@dataclass(frozen=True, slots=True)
class FeatureCache:
    """One cache. ``shapes`` and ``dtype`` are what it holds, empty where its description cannot be read.

    ``used`` is when a run last used it, in seconds since the epoch. ``under_way``: a process writes it now; ``left``:
    the process that wrote it has ended before it was done.
    """

    path: Path
    bytes: int
    used: float
    shapes: tuple[tuple[int, ...], ...] = ()
    dtype: str = ""
    under_way: bool = False
    left: bool = False

    @property
    def images(self) -> int:
        """How many images' features it holds."""
        return self.shapes[0][0] if self.shapes and self.shapes[0] else 0


def list_caches(root: Path) -> list[FeatureCache]:
    """The caches below a directory, the one used longest ago first. Folders of another kind are left out."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for path in root.iterdir():
            # Another process may remove one while we look.
            with contextlib.suppress(OSError):
                if (cache := _cache_at(path)) is not None:
                    found.append(cache)
    return sorted(found, key=lambda cache: (cache.used, cache.path.name))


def remove_cache(cache: FeatureCache) -> None:
    """Remove a cache. A run that has it open reads on; the next one computes it again.

    Raises:
        OSError: it cannot be removed.
    """
    shutil.rmtree(cache.path)


class _Info(Struct):
    """The part of a cache's description that is read here."""

    dtype: str
    shapes: tuple[tuple[int, ...], ...]


def _cache_at(path: Path) -> FeatureCache | None:
    begun = _UNDER_WAY.fullmatch(path.name)
    if path.is_symlink() or not path.is_dir() or not (begun or _NAME.fullmatch(path.name)):
        return None
    size, used = size_of(path), path.stat().st_mtime
    if begun:
        alive = _is_alive(int(begun["pid"]))
        return FeatureCache(path, size, used, under_way=alive, left=not alive)
    try:
        info = msgspec.json.decode((path / "info.json").read_bytes(), type=_Info)
    except (OSError, msgspec.DecodeError):
        return FeatureCache(path, size, used)
    return FeatureCache(path, size, used, info.shapes, info.dtype)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
