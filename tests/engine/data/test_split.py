"""Training and validation images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.config import ConfigError, DataConfig
from fxtui.engine.data.sources.source import open_source
from fxtui.engine.data.split import make_split


@given(
    st.lists(st.integers(0, 4), min_size=12, max_size=200),
    st.floats(0.1, 0.6),
    st.integers(0, 2**32),
)
def test_the_split_is_complete_stratified_and_repeatable(labels: list[int], fraction: float, seed: int) -> None:
    array = np.array([*range(5), *range(5), *labels])
    classes = tuple("abcde")
    split = make_split(array, None, val_fraction=fraction, limit=0, seed=seed, classes=classes)
    assert sorted([*split.train, *split.val]) == list(range(len(array)))
    counts, val = np.bincount(array, minlength=5), np.bincount(array[split.val], minlength=5)
    assert (val <= counts - 1).all()
    assert (np.abs(val - counts * (len(split.val) / len(array))) <= 1 + 1e-9).all()
    again = make_split(array, None, val_fraction=fraction, limit=0, seed=seed, classes=classes)
    assert np.array_equal(split.val, again.val)


def test_the_demo_has_800_and_200() -> None:
    labels = open_source(DataConfig(source="digits")).labels
    split = make_split(labels, None, val_fraction=0.2, limit=1000, seed=0, classes=tuple("0123456789"))
    assert (len(split.train), len(split.val)) == (800, 200)


def test_no_validation_image_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"data.val_fraction = 0.01: of 4 images none would validate"):
        make_split(np.array([0, 0, 1, 1]), None, val_fraction=0.01, limit=0, seed=0, classes=("a", "b"))
