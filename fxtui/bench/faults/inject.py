"""Failing storage made to order: calls of the operating system that fail for files of some name, some times."""

from __future__ import annotations

import errno
import fnmatch
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

Call = Literal["open", "write", "pwrite", "pread", "fsync", "ftruncate", "posix_fallocate", "replace", "rename"]

# A call takes fewer bytes than it was given, and says so: no error at all.
SHORT = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A call that fails for files whose path matches a pattern, after the first few and for as long as it says.

    ``error`` is a number of :mod:`errno`, or ``SHORT``. ``times`` None: from then on always.
    """

    call: Call
    path: str
    error: int = errno.ENOSPC
    after: int = 0
    times: int | None = None


class Faults:
    """While it is entered, calls through :mod:`os` fail as these say, in every thread. ``struck`` counts failures."""

    def __init__(self, *faults: Fault) -> None:
        self._faults = faults
        self._seen = dict.fromkeys(range(len(faults)), 0)
        self._lock = threading.Lock()
        self._real: dict[str, Callable[..., Any]] = {}
        self.struck = 0

    def __enter__(self) -> Faults:
        for name in {fault.call for fault in self._faults}:
            self._real[name] = getattr(os, name)
            setattr(os, name, self._failing(name, self._real[name]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, real in self._real.items():
            setattr(os, name, real)
        self._real.clear()

    def _failing(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            error = self._due(name, args[0])
            if error is None:
                return real(*args, **kwargs)
            if error != SHORT:
                raise OSError(error, os.strerror(error), args[0] if isinstance(args[0], str) else None)
            if name == "pread":
                return real(args[0], max(0, args[1] // 2), *args[2:])
            data = memoryview(args[1])
            return real(args[0], data[: max(1, len(data) // 2)], *args[2:])

        return call

    def _due(self, name: str, where: Any) -> int | None:
        path = _path_of(where)
        for number, fault in enumerate(self._faults):
            if fault.call != name or not fnmatch.fnmatch(path, fault.path):
                continue
            with self._lock:
                seen = self._seen[number]
                self._seen[number] += 1
                if seen >= fault.after and (fault.times is None or seen < fault.after + fault.times):
                    self.struck += 1
                    return fault.error
        return None


def _path_of(where: Any) -> str:
    if not isinstance(where, int):
        return os.fsdecode(where)
    with suppress(OSError):
        return str(Path(f"/proc/self/fd/{where}").readlink()).removesuffix(" (deleted)")
    return ""
