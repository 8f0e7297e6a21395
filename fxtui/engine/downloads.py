"""Downloads that fail soon where there is no network."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

CONNECT_SECONDS = 10.0


@contextlib.contextmanager
def short_timeout() -> Iterator[None]:
    """Connections opened inside give up after ten seconds without an answer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(CONNECT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
