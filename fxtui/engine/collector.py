"""When Python looks for garbage: not while training could go on instead.

A full collection walks every object there is, half a million after importing torch: a third of a second in which no
batch is trained and no key answered. Source: https://docs.python.org/3/library/gc.html#gc.freeze
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Collect nothing inside, and leave out of later collections what was made: for imports, which stay to the end.

    They make no garbage to speak of, and take two thirds of the time without a search for it.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def collect_beforehand() -> None:
    """Collect now, and leave what remains out of later collections: before work that should not be held up."""
    gc.collect()
    gc.freeze()
