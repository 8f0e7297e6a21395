"""A configuration written out, and read back the same."""

from __future__ import annotations

import tomllib
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from fxtui import config as cfg
from fxtui.config import (
    CacheConfig,
    DataConfig,
    FreezeConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    known_keys,
    parse_config,
    to_toml,
)
from tests.protocol.test_schedule import ENTRIES


def test_written_out_every_default_stands_there() -> None:
    tree = tomllib.loads(to_toml(RunConfig(data=DataConfig(source="digits"))))
    leaves = {f"{section}.{key}" for section, table in tree.items() if isinstance(table, dict) for key in table}
    written = leaves | {key for key, value in tree.items() if not isinstance(value, dict)}
    # An empty list would stand in the way of tables that are appended later.
    assert written == set(known_keys()) - {"schedule"}


TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1, max_size=20)
POSITIVE = st.floats(min_value=1e-9, max_value=1e9, allow_nan=False)


CONFIGS = st.builds(
    RunConfig,
    name=TEXT.filter(lambda text: "/" not in text),
    seed=st.integers(0, 2**63 - 1),
    device=st.sampled_from(["auto", "cpu", "cuda", "cuda:3", "mps"]),
    data=st.builds(
        DataConfig,
        source=TEXT,
        limit=st.integers(0, 10**9),
        val_fraction=st.floats(0.001, 0.999),
        image_size=st.one_of(st.just(0), st.integers(8, 4096)),
        augment=st.sampled_from(get_args(cfg.Augment)),
        batch_size=st.integers(1, 65536),
    ),
    model=st.builds(ModelConfig, backbone=TEXT, weights=TEXT),
    freeze=st.builds(
        FreezeConfig,
        trainable=st.lists(TEXT, max_size=3).map(tuple),
        batchnorm=st.sampled_from(get_args(cfg.BatchNormMode)),
    ),
    train=st.builds(
        TrainConfig,
        epochs=st.integers(1, 10**6),
        batch_size=st.integers(1, 65536),
        optimizer=st.sampled_from(get_args(cfg.Optimizer)),
        lr=POSITIVE,
        momentum=st.floats(0, 0.999),
        weight_decay=st.floats(0, 10),
        schedule=st.sampled_from(get_args(cfg.Schedule)),
        backbone_lr_scale=POSITIVE,
        lr_decay_per_stage=st.floats(1e-6, 1),
        precision=st.sampled_from(get_args(cfg.Precision)),
        early_stop=st.integers(0, 10**6),
    ),
    cache=st.builds(CacheConfig, enabled=st.booleans(), max_gb=st.floats(0, 1e6)),
    schedule=st.lists(ENTRIES, max_size=3).map(tuple),
)


@given(CONFIGS)
def test_what_is_written_is_read_back_the_same(config: RunConfig) -> None:
    assert parse_config(tomllib.loads(to_toml(config)), []) == config
