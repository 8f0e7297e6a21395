"""The shell's view of this process: its job, and whether there is a shell to come back to."""

from __future__ import annotations

import os


def can_be_stopped() -> bool:
    """Whether somebody would notice that this job has stopped, and could have it go on.

    A process group is orphaned if no process in it has a parent of another group in the same session; a terminal's own
    stop signal does nothing to such a group. Source: POSIX.1-2017, 3.264 and 11.1.4.
    """
    # Wanted only by who presses ctrl+z, and not at once.
    import psutil

    group, session = os.getpgrp(), os.getsid(0)
    try:
        parent = psutil.Process().ppid()
        while parent > 0 and os.getpgid(parent) == group:
            parent = psutil.Process(parent).ppid()
        return parent > 0 and os.getsid(parent) == session
    except (psutil.Error, OSError):
        return False


def in_foreground(terminal: int) -> bool:
    """Whether this process's group may use the terminal now."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
