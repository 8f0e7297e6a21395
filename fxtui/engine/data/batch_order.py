"""The order in which images are trained on: a pure function of seed and epoch, so that any point can be resumed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def epoch_batches(rows: Rows, seed: int, epoch: int, batch_size: int) -> list[Rows]:
    """The rows in a random order of this epoch's own, in batches.

    A last batch of a single image joins the one before it: BatchNorm in train mode cannot take one image.
    """
    shuffled = np.random.default_rng([seed, epoch]).permutation(rows)
    batches = [shuffled[start : start + batch_size] for start in range(0, len(shuffled), batch_size)]
    if batch_size > 1 and len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def plain_batches(rows: Rows, batch_size: int) -> list[Rows]:
    """The rows in their order, in batches."""
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
