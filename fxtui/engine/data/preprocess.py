"""An image of any size to the square of pixels that a backbone was trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Interpolation = Literal["nearest", "bilinear", "bicubic"]


@dataclass(frozen=True)
class Preprocessing:
    """Shorter side to ``resize``, centre crop of ``crop`` pixels; then 0..1, minus ``mean``, over ``std``, by channel.

    To the bit what torchvision's ``ImageClassification`` preset does with a PIL image.
    """

    resize: int
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Interpolation = "bilinear"

    def at_size(self, image_size: int) -> Preprocessing:
        """The same for another crop, the resize in proportion; 0 leaves it as it is."""
        if not image_size:
            return self
        return replace(self, crop=image_size, resize=round(self.resize * image_size / self.crop))

    def fit(self, image: Image.Image, presized: bool = False) -> NDArray[np.uint8]:
        """The pixels [crop, crop, 3]; ``presized``: the whole image is to be seen, at another size if need be."""
        if not presized:
            image = self._crop(self._resize(image))
        elif image.size != (self.crop, self.crop):
            image = image.resize((self.crop, self.crop), Image.Resampling[self.interpolation.upper()])
        return np.asarray(image, dtype=np.uint8)

    def fingerprint(self) -> str:
        """Changes with every parameter that changes pixels. Caches on disk are known by it, so its form is fixed."""
        return (
            f"Preprocessing(resize={self.resize!r}, crop={self.crop!r}, mean={self.mean!r}, std={self.std!r}, "
            f"interpolation={self.interpolation!r})"
        )

    def _resize(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        short, long = min(width, height), max(width, height)
        if short == self.resize:
            return image
        # Truncated, not rounded, as torchvision does.
        other = int(self.resize * long / short)
        size = (self.resize, other) if width <= height else (other, self.resize)
        return image.resize(size, Image.Resampling[self.interpolation.upper()])

    def _crop(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        size = self.crop
        if width < size or height < size:
            # crop() beyond the edges pads with black, split as torchvision splits it.
            left = (size - width) // 2 if size > width else 0
            top = (size - height) // 2 if size > height else 0
            padded = Image.new("RGB", (max(width, size), max(height, size)))
            padded.paste(image, (left, top))
            image, (width, height) = padded, padded.size
        top, left = round((height - size) / 2.0), round((width - size) / 2.0)
        return image.crop((left, top, left + size, top + size))
