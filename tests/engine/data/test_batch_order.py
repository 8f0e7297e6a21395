"""The order of training images."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fxtui.engine.data.batch_order import epoch_batches


@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 5))
def test_every_row_comes_once_an_epoch_and_no_batch_is_single(count: int, size: int, epoch: int) -> None:
    rows = np.arange(count) * 3
    batches = epoch_batches(rows, 7, epoch, size)
    assert sorted(np.concatenate(batches).tolist()) == rows.tolist()
    assert count == 1 or size == 1 or min(map(len, batches)) > 1
    again = epoch_batches(rows, 7, epoch, size)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
