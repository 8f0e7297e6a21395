"""What the C library does with memory that is freed."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Mapping

# <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
# Bytes; a C int holds no more than the second.
_OWN_MAPPING_FROM, _GIVEN_BACK_FROM = 1 << 30, (1 << 31) - 1


def keep_freed_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Have glibc keep what is freed for what is allocated next; False where it is not glibc or is set up by the user.

    The activations of a batch are tens of megabytes each. As it comes, glibc asks the system for each and gives it
    back, and the system clears every page of it anew: a third of the time of an extraction on a processor. A heap of
    a thread's own cannot hold such blocks, so that all share one. To be called before there is another thread: one that
    has ended leaves its heap to the next.

    Source: https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    theirs = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in environment)
    if theirs or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    wanted = ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _OWN_MAPPING_FROM), (_M_TRIM_THRESHOLD, _GIVEN_BACK_FROM))
    return all(mallopt(which, value) for which, value in wanted)
