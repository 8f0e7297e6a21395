"""A step is by the mean gradient of its images, however they came: in several batches, in parts, weighed by class."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.parity import agree, check_split_batches
from tests.engine.plain_loop import learn
from tests.engine.runs import carry_out, tiny_config


@pytest.mark.parametrize(
    ("accumulate", "more"),
    [
        (4, "train.optimizer=sgd"),
        (3, "train.optimizer=sgd"),
        (50, "train.optimizer=sgd"),
        (3, "train.grad_clip=0.3"),
        (2, "freeze.batchnorm=frozen"),
    ],
)
def test_accumulated_batches_count_as_one(tmp_path: Path, accumulate: int, more: str) -> None:
    """Also where an epoch ends before the last of them is there, and where its last batch is a small one."""
    config = tiny_config(f"train.accumulate={accumulate}", "train.lr=0.05", more)
    agree(carry_out(config, tmp_path), learn(config))


def test_accumulated_batches_weighed_by_class(tmp_path: Path, unbalanced: Path) -> None:
    config = tiny_config(
        f"data.source={unbalanced}", "data.limit=0", "train.class_weights=balanced", "train.accumulate=2"
    )
    agree(carry_out(config, tmp_path), learn(config))


@pytest.mark.parametrize("more", ["train.class_weights=balanced", "train.accumulate=2"])
@pytest.mark.parametrize("factory", ["demanding", "demanding_later"])
def test_parts_of_a_batch_that_did_not_fit(tmp_path: Path, unbalanced: Path, factory: str, more: str) -> None:
    """Parts weigh by their classes too, and what was gathered before the memory ran out is kept."""
    check_split_batches(tmp_path, unbalanced, factory, more)
