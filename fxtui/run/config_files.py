"""Configurations as files that people keep: written under a free name, never over another."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from fxtui.config import ConfigError, RunConfig, to_short_toml
from fxtui.run.storage import write_all

_MOST = 10_000


def free_path(config: RunConfig, folder: Path) -> Path:
    """The file that :func:`write_config` would write now: named after the run or its data, with a number if taken."""
    stem = re.sub(r"[^\w.-]+", "-", config.name or Path(config.data.source).stem).strip("-.") or "run"
    paths = (folder / (f"{stem}.toml" if number == 1 else f"{stem}-{number}.toml") for number in range(1, _MOST))
    return next((path for path in paths if not path.exists()), folder / f"{stem}-{_MOST}.toml")


def write_config(config: RunConfig, folder: Path) -> Path:
    """Write what differs from the defaults to a new file in a folder.

    Raises:
        ConfigError: it cannot be written.
    """
    path = free_path(config, folder)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            write_all(file, to_short_toml(config).encode())
        except OSError:
            # Half a configuration is worse than none.
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        finally:
            os.close(file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    return path
