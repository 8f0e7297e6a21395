"""Feature caches on disk: found again by later runs, the oldest removed when they take too much room.

A cache is a directory named by its fingerprint: ``0.bin``, ``1.bin`` ... hold the raw tensors, ``info.json`` describes
them. It is written under a temporary name and renamed when it is complete and on the disk.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from fxtui.engine.features.stored_rows import StoredRows
from fxtui.machine.directories import feature_caches
from fxtui.machine.processes import is_alive
from fxtui.run.storage import make_private, sync_folder, write_all, written_file

_SHARE_OF_FREE_DISK = 0.2
_HALF_WRITTEN = re.compile(r"^\..+\.(\d+)$")
_DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in (torch.float32, torch.bfloat16, torch.float16)}
_DTYPES |= {str(dtype).removeprefix("torch."): dtype for dtype in (torch.float64, torch.uint8, torch.int64)}


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
        """How many bytes all caches together may take; 0 where the disk cannot be asked."""
        if self._max_bytes:
            return self._max_bytes
        try:
            parent = next(path for path in (self.root, *self.root.parents) if path.exists())
            return int((shutil.disk_usage(parent).free + self._used()) * _SHARE_OF_FREE_DISK)
        except OSError:
            return 0

    def create(self, key: str, shapes: Sequence[tuple[int, ...]], dtype: torch.dtype) -> tuple[StoredRows, ...]:
        """New tensors that lie in files, their room kept free; :meth:`finish` makes them findable.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        folder = self._temporary(key)
        shutil.rmtree(folder, ignore_errors=True)
        self._make_root()
        make_private(folder)
        data = tuple(StoredRows(folder / f"{i}.bin", shape, dtype, new=True) for i, shape in enumerate(shapes))
        for rows in data:
            rows.reserve()
        return data

    def finish(self, key: str, data: Sequence[StoredRows], broken: dict[int, str]) -> None:
        """Make the cache under way findable once it is on the disk, and remove the oldest others beyond the budget.

        Raises:
            OSError: it cannot be written.
        """
        for rows in data:
            rows.sync()
            rows.check()
        info = _Info(_dtype_name(data[0].dtype), tuple(tuple(rows.shape) for rows in data), broken)
        temporary, final = self._temporary(key), self.root / key
        with written_file(temporary / "info.json") as file:
            write_all(file, msgspec.json.encode(info))
        sync_folder(temporary)
        shutil.rmtree(final, ignore_errors=True)
        os.rename(temporary, final)  # noqa: PTH104  # as every call that writes, where a test can have it fail
        sync_folder(self.root)
        self._evict(keep=key)

    def store(self, key: str, data: Sequence[Tensor], broken: dict[int, str]) -> None:
        """Write tensors that are in memory, if they fit the budget.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        if sum(tensor.nbytes for tensor in data) > self.budget():
            return
        stored = self.create(key, [tuple(tensor.shape) for tensor in data], data[0].dtype)
        for target, tensor in zip(stored, data, strict=True):
            target.write(0, tensor)
        self.finish(key, stored, broken)

    def find(self, key: str) -> tuple[tuple[StoredRows, ...], dict[int, str]] | None:
        """The tensors of a cache, in their files, and its broken rows; None if it is not there or damaged."""
        folder = self.root / key
        try:
            info = msgspec.json.decode((folder / "info.json").read_bytes(), type=_Info)
            dtype = _DTYPES[info.dtype]
            if not info.shapes or any(size < 0 for shape in info.shapes for size in (*shape, len(shape) - 1)):
                return None
            data = tuple(StoredRows(folder / f"{i}.bin", shape, dtype) for i, shape in enumerate(info.shapes))
            for rows in data:
                rows.check()
        except (OSError, msgspec.DecodeError, ValueError, LookupError, RecursionError):
            # A cache is only a shortcut: one that cannot be read is computed again.
            return None
        # Where nothing may be written, it is the older for being used.
        with contextlib.suppress(OSError):
            os.utime(folder)
        return data, info.broken

    def discard(self, key: str) -> None:
        """Remove what a broken-off extraction left."""
        shutil.rmtree(self._temporary(key), ignore_errors=True)

    def _temporary(self, key: str) -> Path:
        return self.root / f".{key}.{os.getpid()}"

    def _make_root(self) -> None:
        self.root.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.root.parent, self.root):
            with contextlib.suppress(FileExistsError):
                make_private(folder)
        self._sweep()

    def _sweep(self) -> None:
        """Remove what processes of this machine left half written that are no more."""
        with contextlib.suppress(OSError):
            for path in self.root.iterdir():
                if (found := _HALF_WRITTEN.match(path.name)) and not is_alive(int(found[1])):
                    shutil.rmtree(path, ignore_errors=True)

    def _entries(self) -> list[tuple[float, int, Path]]:
        try:
            paths = tuple(self.root.iterdir())
        except OSError:
            return []
        entries = []
        for path in paths:
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


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
