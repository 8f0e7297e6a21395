"""Freed memory is kept for what is allocated next."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from fxtui.machine.malloc import keep_freed_memory

# In a thread, as the engine does; prints how many pages the system had to hand out for the last of the blocks.
ALLOCATE = """
import ctypes, resource, sys, threading
from fxtui.machine.malloc import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory({})
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
size = 150 << 20
# PR_SET_THP_DISABLE, <linux/prctl.h>: the system hands out pages of one size.
libc.prctl(41, 1, 0, 0, 0)

def work():
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        block = libc.malloc(size)
        ctypes.memset(block, 1, size)
        libc.free(block)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def pages_taken(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", ALLOCATE, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_block_that_was_freed_is_used_again() -> None:
    plain, kept = pages_taken("plain"), pages_taken("kept")
    assert plain > 100
    assert kept < plain / 10


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_what_the_user_has_set_up_is_left_as_it_is(name: str) -> None:
    assert not keep_freed_memory({name: "1"})
