"""Questions on a terminal before what cannot be taken back."""

from __future__ import annotations

import sys


def agreed(question: str) -> bool:
    """Whether the user says yes; where nobody can be asked, the command itself was the answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
