"""The user's own directories, also where there is no home, and what fxtui keeps there that it can have again."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def feature_caches() -> Path:
    """Where caches of features lie: ``$XDG_CACHE_HOME/fxtui/features``, by default below ``~/.cache``."""
    return cache_home() / "fxtui" / "features"


def data_sets() -> Path:
    """Where data sets lie: ``$FXTUI_DATA``, by default ``$XDG_CACHE_HOME/fxtui/data``."""
    if own := os.environ.get("FXTUI_DATA"):
        return Path(own)
    return cache_home() / "fxtui" / "data"


def home() -> Path | None:
    """The home directory; None where nobody says which it is, e.g. for a user of a container without a name."""
    try:
        return Path.home()
    except (RuntimeError, OSError):
        return None


def expanded(path: str) -> Path:
    """A path with ``~`` written out; as it is where there is no home."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, OSError):
        return Path(path)


def cache_home() -> Path:
    """Where caches lie: ``$XDG_CACHE_HOME``, by default ``~/.cache``, without a home in the temporary directory."""
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base)
    own = home()
    return own / ".cache" if own else _temporary_home()


def cache_home_note() -> str:
    """Why caches do not lie where they otherwise would; empty where they do."""
    if os.environ.get("XDG_CACHE_HOME") or home():
        return ""
    return f"there is no home directory: caches go to {cache_home()}"


def _temporary_home() -> Path:
    try:
        base = Path(tempfile.gettempdir())
    except OSError:
        base = Path("/tmp")
    path = base / f"fxtui-{os.getuid()}"
    try:
        found = path.lstat()
    except OSError:
        return path
    # Somebody else could have made it, to have us read what they wrote.
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return path if ours else path.with_name(f"{path.name}-{os.getpid()}")
