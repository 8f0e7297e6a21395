"""A theme by its name."""

from __future__ import annotations

import pytest

from fxtui.config import ConfigError
from fxtui.tui.terminal.theme import theme_named


def test_themes_by_name() -> None:
    assert [theme_named(name) for name in ("dark", "light", "16", "nord")] == [
        "fxtui-dark",
        "fxtui-light",
        "fxtui-16",
        "nord",
    ]
    with pytest.raises(ConfigError, match="--theme drak: no such theme; did you mean dark"):
        theme_named("drak")
