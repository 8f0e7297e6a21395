"""What a configuration is refused with, and the texts that others are made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxtui.config import ConfigError, load_config

DIGITS = '[data]\nsource = "digits"\n'


def wrong(text: str, tmp_path: Path, overrides: list[str] | None = None) -> str:
    """The one line that a configuration is refused with, less the file's name."""
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


ENTRY = '\n[[schedule]]\nat = "epoch 1"\ncommand = "undo"\n\n[[schedule]]\n'
