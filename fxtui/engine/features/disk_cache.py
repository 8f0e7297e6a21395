"""Feature caches on disk: found again by later runs, the oldest removed when they take too much room.

A cache is a directory named by its fingerprint: ``0.bin``, ``1.bin`` ... hold the raw tensors, ``info.json`` describes
them. It is written under a temporary name and renamed when it is complete.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from fxtui.machine.directories import feature_caches

_SHARE_OF_FREE_DISK = 0.2


class _Info(Struct, frozen=True):
    dtype: str
    shapes: tuple[tuple[int, ...], ...]
    broken: dict[int, str]


class CacheFiles:
    """The caches below one directory, of ``max_bytes`` in all; 0: a fifth of the disk that they could have."""

    def __init__(self, root: Path, max_bytes: int = 0) -> None:
        self.root = root
        self._max_bytes = max_bytes

    def budget(self) -> int:
        """How many bytes all caches together may take."""
        if self._max_bytes:
            return self._max_bytes
        parent = next(path for path in (self.root, *self.root.parents) if path.exists())
        return int((shutil.disk_usage(parent).free + self._used()) * _SHARE_OF_FREE_DISK)

    def create(self, key: str, shapes: Sequence[tuple[int, ...]], dtype: torch.dtype) -> tuple[Tensor, ...]:
        """New tensors that lie in files, filled with zeros; :meth:`finish` makes them findable.

        Raises:
            OSError: the disk cannot be written.
        """
        folder = self._temporary(key)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return tuple(_map(folder / f"{i}.bin", shape, dtype, writable=True) for i, shape in enumerate(shapes))

    def finish(self, key: str, shapes: Sequence[tuple[int, ...]], dtype: torch.dtype, broken: dict[int, str]) -> None:
        """Make the cache under way findable, and remove the oldest others beyond the budget."""
        info = _Info(_dtype_name(dtype), tuple(shapes), broken)
        (self._temporary(key) / "info.json").write_bytes(msgspec.json.encode(info))
        shutil.rmtree(self.root / key, ignore_errors=True)
        self._temporary(key).rename(self.root / key)
        self._evict(keep=key)

    def store(self, key: str, data: Sequence[Tensor], broken: dict[int, str]) -> None:
        """Write tensors that are in memory, if they fit the budget.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        size = sum(tensor.numel() * tensor.element_size() for tensor in data)
        if size > self.budget():
            return
        shapes = [tuple(tensor.shape) for tensor in data]
        for target, tensor in zip(self.create(key, shapes, data[0].dtype), data, strict=True):
            target.copy_(tensor)
        self.finish(key, shapes, data[0].dtype, broken)

    def find(self, key: str) -> tuple[tuple[Tensor, ...], dict[int, str]] | None:
        """The tensors of a cache, mapped from their files, and its broken rows; None if it is not there or damaged."""
        folder = self.root / key
        try:
            info = msgspec.json.decode((folder / "info.json").read_bytes(), type=_Info)
            dtype = getattr(torch, info.dtype)
            data = tuple(_map(folder / f"{i}.bin", shape, dtype) for i, shape in enumerate(info.shapes))
            os.utime(folder)
        except (OSError, msgspec.DecodeError, RuntimeError):
            # A cache is only a shortcut: one that cannot be read is computed again.
            return None
        return data, info.broken

    def discard(self, key: str) -> None:
        """Remove what a broken-off extraction left."""
        shutil.rmtree(self._temporary(key), ignore_errors=True)

    def _temporary(self, key: str) -> Path:
        return self.root / f".{key}.{os.getpid()}"

    def _entries(self) -> list[tuple[float, int, Path]]:
        entries = []
        if self.root.is_dir():
            for path in self.root.iterdir():
                # Another process may remove an entry while we look.
                with contextlib.suppress(OSError):
                    if (path / "info.json").is_file():
                        size = sum(file.stat().st_size for file in path.iterdir())
                        entries.append((path.stat().st_mtime, size, path))
        return sorted(entries)

    def _used(self) -> int:
        return sum(size for _, size, _ in self._entries())

    def _evict(self, keep: str) -> None:
        entries = self._entries()
        over = sum(size for _, size, _ in entries) - self.budget()
        for _, size, path in entries:
            if over <= 0:
                break
            if path.name != keep:
                shutil.rmtree(path, ignore_errors=True)
                over -= size


def cache_root() -> Path:
    """Where caches lie."""
    return feature_caches()


def _map(path: Path, shape: tuple[int, ...], dtype: torch.dtype, writable: bool = False) -> Tensor:
    count = 1
    for size in shape:
        count *= size
    if not writable and path.stat().st_size != count * dtype.itemsize:
        raise OSError(f"{path}: has another size than its description")
    flat = torch.from_file(str(path), shared=writable, size=count, dtype=dtype)
    return flat.view(shape)


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
