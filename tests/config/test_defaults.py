"""What a configuration holds that says little, and those that come with fxtui."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxtui.config import (
    ConfigError,
    DataConfig,
    RunConfig,
    bundled_config,
    folder_config,
    known_keys,
    load_config,
    parse_config,
)


def test_only_the_source_is_needed() -> None:
    config = parse_config({"data": {"source": "digits"}}, [])
    assert (config.train.epochs, config.train.lr, config.model.backbone) == (5, 0.001, "efficientnet_lite0")
    assert config == RunConfig(data=DataConfig(source="digits"))


def test_a_folder_gives_its_name_to_the_run(tmp_path: Path) -> None:
    config = folder_config(tmp_path / "photos", ["train.epochs=2"])
    assert (config.name, config.data.source, config.train.epochs) == ("photos", str(tmp_path / "photos"), 2)


def test_known_keys_are_the_leaves() -> None:
    keys = known_keys()
    assert {"name", "data.source", "train.lr", "cache.max_gb"} <= set(keys)
    assert "data" not in keys


@pytest.mark.parametrize("name", ["demo", "resnet18", "folder", "cifar10", "gradual", "lp_ft"])
def test_the_configurations_that_come_with_fxtui_are_valid(name: str) -> None:
    config = load_config(bundled_config(name))
    assert config.name


def test_the_demo_is_what_its_budget_was_measured_with() -> None:
    demo = load_config(bundled_config("demo"))
    assert (demo.data.source, demo.data.limit, demo.data.image_size) == ("digits", 1000, 64)
    assert (demo.train.epochs, demo.train.optimizer, demo.train.lr) == (5, "adamw", 0.001)


def test_a_bundled_configuration_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml: not installed with fxtui"):
        bundled_config("nothing")
