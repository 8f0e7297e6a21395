"""JPEG files to measure with, about as large and as detailed as photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

_QUALITY = 90


def write_photos(folder: Path, count: int, size: int) -> list[Path]:
    """Write ``count`` JPEG files in two classes, the same ones every time.

    They are in proportion to ``size``, the pixels that they will be read at: 500 x 375 and 58 kB for 224. So no reader
    decodes them reduced, which would give other pixels. Returns their paths in the order of a source over the folder.
    """
    width, height = round(size * 500 / 224), round(size * 375 / 224)
    generator = np.random.default_rng(0)
    paths = []
    for number in range(count):
        path = folder / "ab"[number % 2] / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = generator.integers(-12, 13, smooth.shape, dtype=np.int16)
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(path, quality=_QUALITY)
        paths.append(path)
    return sorted(paths)
