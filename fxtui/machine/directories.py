"""Where on this machine fxtui keeps what it can have again."""

from __future__ import annotations

import os
from pathlib import Path


def feature_caches() -> Path:
    """Where caches of features lie: ``$XDG_CACHE_HOME/fxtui/features``, by default below ``~/.cache``."""
    return _cache_home() / "features"


def data_sets() -> Path:
    """Where data sets lie: ``$FXTUI_DATA``, by default ``$XDG_CACHE_HOME/fxtui/data``."""
    if own := os.environ.get("FXTUI_DATA"):
        return Path(own)
    return _cache_home() / "data"


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fxtui"
