"""The embedded data: scikit-learn's handwritten digits."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fxtui.protocol.events import SkippedFile

_DEFAULT_SIZE = 64


class Digits:
    """1,797 grey images of 8 x 8 pixels, enlarged bilinearly. Source: scikit-learn's ``load_digits`` (UCI)."""

    name = "digits"
    classes = tuple("0123456789")
    own_split: NDArray[np.int8] | None = None
    not_images = 0
    skipped: tuple[SkippedFile, ...] = ()
    presized = True

    def __init__(self, size: int = 0) -> None:
        from sklearn.datasets import load_digits

        data = load_digits()
        self._images = np.rint(data.images * (255 / 16)).astype(np.uint8)
        self._size = size or _DEFAULT_SIZE
        self.labels: NDArray[np.int64] = data.target.astype(np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def image_name(self, index: int) -> str:
        """E.g. ``digit 12``."""
        return f"digit {index}"

    def read(self, index: int, target: int = 0) -> Image.Image:  # noqa: ARG002  # nothing to reduce
        """The enlarged digit."""
        small = Image.fromarray(self._images[index])
        return small.resize((self._size, self._size), Image.Resampling.BILINEAR).convert("RGB")

    def fingerprint(self) -> str:
        """Over the pixels and the size."""
        return hashlib.blake2b(self._images.tobytes() + str(self._size).encode(), digest_size=16).hexdigest()
