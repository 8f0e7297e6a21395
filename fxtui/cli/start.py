"""From what a user typed to a session that is ready to start."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from fxtui.config import ConfigError, RunConfig, folder_config, load_config
from fxtui.run.session import Engine, EngineLink, LocalSession
from fxtui.run.store import RunDirectory, RunStore

if TYPE_CHECKING:
    from fxtui.engine.data.source import ImageSource


def config_at(path: Path, overrides: list[str]) -> RunConfig:
    """The configuration that a path stands for: a TOML file, a folder of images, or a CSV manifest.

    Raises:
        ConfigError: it is none of these, or a key or value in it is wrong.
    """
    if path.is_dir():
        if (path / "events.jsonl").is_file():
            raise ConfigError(f"{path}: is a run; see it with fxtui show {path}")
        return folder_config(path, overrides)
    if path.suffix.lower() == ".csv" and path.is_file():
        return folder_config(path, overrides)
    if path.is_file() and path.suffix.lower() != ".toml":
        raise ConfigError(f"{path}: expected a .toml configuration, a folder of images or a .csv manifest")
    if not path.exists() and path.suffix.lower() != ".toml":
        raise ConfigError(f"{path}: no such file or folder")
    return load_config(path, overrides)


def check_without_torch(config: RunConfig) -> ImageSource | None:
    """Check what can be known before torch is loaded; returns the images where they are listed without it.

    Raises:
        ConfigError: the data or the model cannot be what the configuration says.
    """
    from fxtui.engine.backbones.check import check_model_name
    from fxtui.engine.data.source import needs_torch, open_source

    check_model_name(config.model)
    # The embedded digits cannot be wrong, and loading them would hold up the first paint.
    later = needs_torch(config.data) or config.data.source == "digits"
    return None if later else open_source(config.data)


def new_session(config: RunConfig, runs: Path) -> LocalSession:
    """A session for a new run below ``runs``, not yet started.

    Raises:
        ConfigError: the configuration is wrong, or the directory cannot be written.
    """
    source = check_without_torch(config)
    return LocalSession(RunStore(runs).create(config), _engine(config, source))


def discard(run: RunDirectory) -> None:
    """Remove a run that never began."""
    shutil.rmtree(run.path, ignore_errors=True)


def _engine(config: RunConfig, source: ImageSource | None) -> Engine:
    def engine(link: EngineLink) -> None:
        from fxtui.engine.job import run_job

        run_job(config, link, source)

    return engine
