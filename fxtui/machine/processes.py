"""Other processes of this machine: whether one lives, is the one it was, and whether it has been stopped."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# The operating system tells when a process began by its own clock, which is set now and then.
_SAME_SECONDS = 2.0


def host_name() -> str:
    """This machine, and which numbers of processes can be seen from here: a container has its own."""
    space = ""
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink()).removeprefix("pid:").strip("[]")
    return f"{os.uname().nodename}/{space}" if space else os.uname().nodename


def is_alive(pid: int) -> bool:
    """Whether a process of this number runs here."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def start_mark(pid: int) -> str:
    """What no other process of this number has in common with it: when it started; empty where there is none."""
    try:
        # Fields are counted from the name's closing bracket: the name may hold spaces and brackets.
        # Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
        ticks = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, IndexError, ValueError):
        return _started(pid)
    return f"{boot[:8]}-{ticks}"


def started(pid: int) -> float | None:
    """When a process began, in seconds since the epoch; None if there is none, or only what is left of one."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, OSError, ValueError, OverflowError):
        return None


def is_same(pid: int, began: float) -> bool:
    """Whether the process with this number, which began then, still lives."""
    now = started(pid)
    return now is not None and abs(now - began) < _SAME_SECONDS


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped, as by ctrl-z, and does not run until it is told to."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP))
    except (psutil.Error, OSError, ValueError, OverflowError):
        return False


def _started(pid: int) -> str:
    # Only where there is no /proc, and only when a lock is asked for: it takes a while to load.
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except (psutil.Error, OSError, ValueError):
        return ""
