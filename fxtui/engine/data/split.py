"""Training and validation images: stratified, seeded, or as the source has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fxtui.config import ConfigError

_TRAIN, _VAL, _TEST = 0, 1, 2
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Indices into the source, sorted, without overlap."""

    train: Indices
    val: Indices


def make_split(
    labels: Indices,
    own_split: NDArray[np.int8] | None,
    *,
    val_fraction: float,
    limit: int,
    seed: int,
    classes: tuple[str, ...],
) -> Split:
    """Choose ``limit`` images (0: all) and split them; both keep the proportions of the classes.

    A source's own split is kept: its validation part, else its test part, validates. The same seed gives the same split
    on every machine.

    Raises:
        ConfigError: a class would have no training image, or validation none at all.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    everything = np.arange(len(labels))
    if own_split is None or not ((own_split == _VAL) | (own_split == _TEST)).any():
        chosen = _draw(everything, labels, limit, generator) if 0 < limit < len(labels) else everything
        val = _draw(chosen, labels, round(len(chosen) * val_fraction), generator, keep_one=True)
        split = Split(np.setdiff1d(chosen, val), np.sort(val))
    else:
        train, val = (
            everything[own_split == _TRAIN],
            everything[own_split == (_VAL if (own_split == _VAL).any() else _TEST)],
        )
        total = len(train) + len(val)
        if 0 < limit < total:
            share = min(max(1, round(limit * len(val) / total)), limit - 1)
            train, val = _draw(train, labels, limit - share, generator), _draw(val, labels, share, generator)
        split = Split(np.sort(train), np.sort(val))
    counts = np.bincount(labels[split.train], minlength=len(classes))
    if (counts == 0).any():
        raise ConfigError(f"data.limit = {limit}: class '{classes[int(counts.argmin())]}' would have no training image")
    if not len(split.val):
        raise ConfigError(
            f"data.val_fraction = {val_fraction}: of {len(split.train)} images none would validate; "
            "expected more images or a larger fraction"
        )
    return split


def _draw(
    among: Indices, labels: Indices, count: int, generator: np.random.Generator, keep_one: bool = False
) -> Indices:
    """``count`` of ``among``, each class by its share (largest remainder); ``keep_one`` leaves every class one."""
    members = [among[labels[among] == label] for label in np.unique(labels[among])]
    sizes = np.array([len(some) for some in members])
    exact = sizes * (count / max(len(among), 1))
    take = np.floor(exact).astype(np.int64)
    room = sizes - 1 if keep_one else sizes
    take = np.minimum(take, room)
    for at in np.argsort(-(exact - take), kind="stable"):
        if take.sum() < count and take[at] < room[at]:
            take[at] += 1
    for at in np.argsort(-(room - take), kind="stable"):
        spare = min(count - int(take.sum()), int(room[at] - take[at]))
        take[at] += max(spare, 0)
    drawn = [generator.permutation(some)[:n] for some, n in zip(members, take, strict=True)]
    return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, np.int64)
