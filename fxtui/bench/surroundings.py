"""The machine that a bench runs on: how busy it is, and a place on it that leaves no traces. Knows no torch."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fxtui.machine.cpu import cpu_count
from fxtui.text import numbers as fmt

_BUSY_SHARE = 0.5


def busy_note() -> str:
    """A line that says that other work keeps the processor busy, so that timings mean little; else nothing."""
    load, cores = os.getloadavg()[0], cpu_count()
    if load < _BUSY_SHARE * cores:
        return ""
    return f"this machine is busy (load {load:.1f} on {fmt.plural(cores, 'core')}): ratios may be far off"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder that holds the feature caches, too, while it is there; the user's own stay untouched."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory(prefix="fxtui-bench-") as name:
        os.environ["XDG_CACHE_HOME"] = str(Path(name, "cache"))
        try:
            yield Path(name)
        finally:
            if before is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = before
