"""What events and commands are called outside of Python: in the journal, in TOML and on the wire."""

from __future__ import annotations

import re


def snake_case(name: str) -> str:
    """``RunStarted`` as ``run_started``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
