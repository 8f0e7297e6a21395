"""``--set key=value``: read by the type of its key, and refused as a file is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fxtui.config import parse_config
from tests.config.refused import DIGITS, wrong


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("train.epochs=12", "train.epochs", 12),
        (" train.epochs = 12 ", "train.epochs", 12),
        ("train.lr=3e-4", "train.lr", 3e-4),
        ("train.lr=1", "train.lr", 1.0),
        ("model.weights=none", "model.weights", "none"),
        ('model.weights="none"', "model.weights", "none"),
        ("model.weights=a=b.pt", "model.weights", "a=b.pt"),
        ("data.source=torchvision:CIFAR10", "data.source", "torchvision:CIFAR10"),
        ("data.source=123", "data.source", "123"),
        ("train.optimizer=sgd", "train.optimizer", "sgd"),
        ("cache.enabled=false", "cache.enabled", False),
        ("freeze.trainable=layer4", "freeze.trainable", ("layer4",)),
        ("freeze.trainable=layer3, layer4", "freeze.trainable", ("layer3", "layer4")),
        ('freeze.trainable=["layer4"]', "freeze.trainable", ("layer4",)),
        ("freeze.trainable=[]", "freeze.trainable", ()),
        ("seed=7", "seed", 7),
        ("name=cats", "name", "cats"),
    ],
)
def test_overrides_are_read_by_the_type_of_their_key(override: str, key: str, value: object) -> None:
    node: Any = parse_config({"data": {"source": "digits"}}, [override])
    for part in key.split("."):
        node = getattr(node, part)
    assert node == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "--set train.epochs: expected key=value, e.g. --set train.epochs=10"),
        ("=3", "--set =3: expected key=value, e.g. --set train.epochs=10"),
        ("train.epoch=3", "--set train.epoch: unknown key; did you mean train.epochs?"),
        ("epochs=3", "--set epochs: unknown key; did you mean train.epochs?"),
        ("train=3", "--set train: unknown key; did you mean train.lr?"),
        ("train.epochs=many", "train.epochs = 'many': expected a whole number"),
        ("train.epochs=0", "train.epochs = 0: expected 1 or more"),
        ("cache.enabled=yes", "cache.enabled = 'yes': expected true or false"),
        ("schedule=cosine", "--set schedule: [[schedule]] is written in the file only; the rate's is train.schedule"),
        (
            "schedule[0].lr=1",
            "--set schedule[0].lr: [[schedule]] is written in the file only; the rate's is train.schedule",
        ),
        ("schedule.0=1", "--set schedule.0: [[schedule]] is written in the file only; the rate's is train.schedule"),
        ("schedul=cosine", "--set schedul: unknown key; did you mean train.schedule?"),
        ("train.schedul=cosine", "--set train.schedul: unknown key; did you mean train.schedule?"),
        ("train.optimizer=adm", "train.optimizer = 'adm': expected one of adamw, adam, sgd (did you mean adam?)"),
    ],
)
def test_a_wrong_override_is_one_line_too(tmp_path: Path, override: str, message: str) -> None:
    assert wrong(DIGITS, tmp_path, [override]) == message


def test_the_last_override_wins_over_the_file_and_the_first() -> None:
    tree = {"data": {"source": "digits"}, "train": {"epochs": 1}}
    assert parse_config(tree, ["train.epochs=2", "train.epochs=3"]).train.epochs == 3


def test_an_override_can_supply_what_the_file_lacks() -> None:
    assert parse_config({}, ["data.source=digits"]).data.source == "digits"
