"""Other processes of this machine: whether one still is the one it was, and whether it has been stopped."""

from __future__ import annotations

# The operating system tells when a process began by its own clock, which is set now and then.
_SAME_SECONDS = 2.0


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
