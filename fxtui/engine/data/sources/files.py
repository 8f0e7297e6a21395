"""A source that is a list of image files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fxtui.engine.data.decode import BrokenImageError, open_rgb
from fxtui.protocol.events import SkippedFile


@dataclass
class FileSource:
    """Image files with labels. ``stamps`` holds size and modification time of each, for the fingerprint."""

    name: str
    root: Path
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    paths: Sequence[str]
    stamps: Sequence[tuple[int, int]]
    own_split: NDArray[np.int8] | None = None
    not_images: int = 0
    skipped: tuple[SkippedFile, ...] = ()
    presized: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    def image_name(self, index: int) -> str:
        """The path below the source's folder."""
        return self.paths[index]

    def read(self, index: int, target: int = 0) -> Image.Image:
        """Decode a file; see :func:`fxtui.engine.data.decode.open_rgb`."""
        try:
            return open_rgb(self.root / self.paths[index], target)
        except FileNotFoundError:
            raise BrokenImageError("no such file any more") from None

    def fingerprint(self) -> str:
        """Over paths, sizes, modification times and labels."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(str(self.root.resolve()).encode())
        for path, stamp in zip(self.paths, self.stamps, strict=True):
            digest.update(f"{path}\0{stamp}\0".encode("utf-8", "surrogateescape"))
        digest.update(self.labels.tobytes())
        return digest.hexdigest()
