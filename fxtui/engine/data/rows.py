"""The images of a run as rows: which there are, which train, which validate, and their pixels on the device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fxtui.config import ConfigError
from fxtui.engine.data.loader import PixelBatch, PixelLoader, View
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.engine.data.sources.source import ImageSource
from fxtui.engine.data.split import Split
from fxtui.protocol.events import SkippedFile


@dataclass(slots=True)
class ImageRows:
    """The images that a run uses, numbered as rows in the order of the source.

    ``train`` and ``val`` are row numbers and lose those of images that turn out broken.
    """

    source: ImageSource
    preprocessing: Preprocessing
    indices: NDArray[np.int64]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    labels: NDArray[np.int64]
    broken: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, source: ImageSource, preprocessing: Preprocessing, split: Split) -> ImageRows:
        """The rows of a split."""
        indices = np.sort(np.concatenate([split.train, split.val]))
        return cls(
            source=source,
            preprocessing=preprocessing,
            indices=indices,
            train=np.searchsorted(indices, np.sort(split.train)),
            val=np.searchsorted(indices, np.sort(split.val)),
            labels=source.labels[indices],
        )

    def __len__(self) -> int:
        return len(self.indices)

    def read(
        self, rows: Sequence[NDArray[np.int64]], view: View | None = None
    ) -> Iterator[tuple[NDArray[np.int64], PixelBatch]]:
        """A batch of pixels for each array of rows, together with it; ``view`` in place of the preprocessing."""
        loader = PixelLoader(self.source, self.preprocessing)
        with contextlib.closing(loader.batches([self.indices[some] for some in rows], view)) as batches:
            yield from zip(rows, batches, strict=True)

    def drop(self, rows: dict[int, str]) -> tuple[SkippedFile, ...]:
        """Leave out rows that turned out broken, with the reasons, and name the files newly left out.

        Raises:
            ConfigError: a class has no training image left, or validation has no image.
        """
        new = {row: reason for row, reason in rows.items() if row not in self.broken}
        if not new:
            return ()
        self.broken.update(new)
        gone = np.fromiter(new, dtype=np.int64)
        self.train, self.val = self.train[~np.isin(self.train, gone)], self.val[~np.isin(self.val, gone)]
        left = np.bincount(self.labels[self.train], minlength=len(self.source.classes))
        if (left == 0).any():
            name = self.source.classes[int(np.argmin(left))]
            raise ConfigError(
                f"data.source = '{self.source.name}': class '{name}' has no readable image left to train on; "
                f"the first broken one is {self.name(next(iter(new)))}: {next(iter(new.values()))}"
            )
        if not len(self.val):
            raise ConfigError(f"data.source = '{self.source.name}': no readable validation image is left")
        return tuple(SkippedFile(self.name(row), reason) for row, reason in new.items())

    def name(self, row: int) -> str:
        """What a row's image is called."""
        return self.source.image_name(int(self.indices[row]))
