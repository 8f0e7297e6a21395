"""The configuration that a user means, and what can be known to be wrong with it before torch is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fxtui.cli.output.streams import complain
from fxtui.config import ConfigError, RunConfig, folder_config, load_config

if TYPE_CHECKING:
    from fxtui.engine.data.sources.source import ImageSource


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
    from fxtui.engine.backbones.names import check_model_name

    check_model_name(config.model)
    # The embedded digits cannot be wrong, and loading them, or what reads data, would hold up the first paint.
    if config.data.source == "digits":
        return None
    from fxtui.engine.data.sources.source import needs_torch, open_source

    return None if needs_torch(config.data) else open_source(config.data)


def announce_code(config: RunConfig) -> None:
    """Say that a configuration has code of somebody's run, where it does; it may be a stranger's."""
    module, colon, factory = config.model.backbone.partition(":")
    if colon:
        complain(f"model.backbone names code: {module} is imported and {factory} called")
