"""Every fault of every file that a run writes, each on a run of its own."""

from __future__ import annotations

import errno
import itertools
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fxtui.bench.faults.inject import SHORT, Call, Fault, Faults
from fxtui.bench.faults.tiny import Losses, carry_out, tiny_config, wrongs
from fxtui.config import ConfigError
from fxtui.engine.features.memory_cache import CacheMemory

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
_SOME = (errno.ENOSPC, errno.EIO)
_CACHES = "*/features/*.bin"
_CLOSE = 1e-5


@dataclass(frozen=True, slots=True)
class StorageFault:
    """A fault, and what may become of the run.

    ``in_files``: no cache fits into memory. ``tolerance`` of losses where batches are computed otherwise.
    ``refused``: no run begins, which is said in one line.
    """

    case: str
    fault: Fault
    in_files: bool = False
    tolerance: float = 0.0
    refused: bool = False


def storage_faults() -> list[StorageFault]:
    """All that are tried."""
    found = _failing("journal", "write", "*/events.jsonl", ERRORS)
    # It is opened twice: what cannot be read is not gone on with, and that is said before a run begins.
    opened = _failing("journal", "open", "*/events.jsonl")
    found += [replace(fault, fault=replace(fault.fault, after=1)) for fault in opened]
    found += _failing("journal", "fsync", "*/events.jsonl")
    for name in ("model.safetensors", "state.pt", "info.json"):
        found += _failing(f"checkpoint {name}", "write", f"*/checkpoints/*/{name}", ERRORS)
    found += _failing("checkpoint", "fsync", "*/checkpoints/*", (errno.EIO, errno.EINVAL))
    found += _failing("summary", "write", "*/.summary.json.tmp", ERRORS)
    found += _failing("config", "write", "*/.config.toml.tmp", ERRORS, refused=True)
    others: tuple[tuple[str, Call, str], ...] = (
        ("checkpoint", "open", "*/checkpoints/*"),
        ("checkpoint", "rename", "*/checkpoints/*"),
        ("summary", "open", "*/.summary.json.tmp"),
        ("summary", "replace", "*/.summary.json.tmp"),
        ("cache", "rename", "*/features/.*"),
    )
    for what, call, path in others:
        found += _failing(what, call, path)
    calls: tuple[Call, ...] = ("pwrite", "open", "posix_fallocate", "fsync")
    for call in calls:
        errors = ERRORS if call == "pwrite" else _SOME
        found += _failing("cache in memory", call, _CACHES, errors)
        found += _failing("cache in a file", call, _CACHES, errors, in_files=True, tolerance=_CLOSE)
    found += _failing("cache in a file", "pread", _CACHES, (errno.EIO,), in_files=True)
    shorts: tuple[tuple[str, Call, str], ...] = (
        ("journal", "write", "*/events.jsonl"),
        ("checkpoint", "write", "*/checkpoints/*"),
        ("summary", "write", "*/.summary.json.tmp"),
        ("cache in a file", "pwrite", _CACHES),
        ("cache in a file", "pread", _CACHES),
    )
    for what, call, path in shorts:
        in_files = what == "cache in a file"
        found.append(StorageFault(f"{what}: {call} short", Fault(call, path, SHORT), in_files=in_files))
    return [fault for fault in found if hasattr(os, fault.fault.call)]


def try_fault(fault: StorageFault, number: int, folder: Path, expected: Losses) -> list[str]:
    """Carry out a run with a fault and say what was wrong with it; the first time it fails always, later at random."""
    chance = random.Random(f"{fault.case} {number}")
    made = fault.fault
    if number:
        made = replace(made, after=made.after + chance.randrange(8), times=chance.choice((1, 3, 10, None)))
    with _caches(folder / "cache", fault.in_files), Faults(made):
        try:
            outcome = carry_out(tiny_config(), folder / "runs")
        except ConfigError as error:
            return [] if fault.refused else [f"no run began: {error}"]
    return wrongs(outcome, expected, fault.tolerance)


def _failing(what: str, call: Call, path: str, errors: tuple[int, ...] = _SOME, **becomes: Any) -> list[StorageFault]:
    return [
        StorageFault(f"{what}: {call} {errno.errorcode[error]}", Fault(call, path, error), **becomes)
        for error in errors
    ]


@contextmanager
def _caches(folder: Path, in_files: bool) -> Iterator[None]:
    """Caches of a run's own, in files only where that is asked for."""
    before, place_for = os.environ.get("XDG_CACHE_HOME"), CacheMemory.place_for
    numbers = itertools.count()
    while (own := folder / str(next(numbers))).exists():
        pass
    os.environ["XDG_CACHE_HOME"] = str(own)
    own.mkdir(parents=True)
    if in_files:
        setattr(CacheMemory, "place_for", lambda *_: None)  # noqa: B010
    try:
        yield
    finally:
        setattr(CacheMemory, "place_for", place_for)  # noqa: B010
        if before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before
