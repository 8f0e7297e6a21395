"""Views of training images: another crop, flip and colouring in every epoch.

A view is a pure function of seed, epoch and image: threads decode in any order, dropout draws from torch's generator,
and a resumed run sees what it would have seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fxtui.config import Augment
from fxtui.engine.data.augmentation.randaugment import Pixel, rand_augment
from fxtui.engine.data.preprocess import Preprocessing

Box = tuple[float, float, float, float]

# Sets the views' random numbers apart from those of the batch order, which has the same seed and epoch.
_STREAM = 0x76696577
_LIGHT_AREA, _LIGHT_RATIO, _LIGHT_SHIFT = (0.7, 1.0), 10 / 9, 0.1
# A quarter of the area, not torchvision's 8 %: what is fine-tuned on few images needs to see the object.
_STRONG_AREA, _STRONG_RATIO = (0.25, 1.0), 4 / 3
_ERASED_SHARE, _ERASED_AREA, _ERASED_RATIO = 0.5, (0.02, 0.33), 3.3


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How training images are varied.

    ``light``: the plain view's frame, shrunk to 70 to 100 % of its area and shifted by up to a tenth of its side, half
    the views mirrored. ``strong``: a crop of 25 to 100 % of the image (Szegedy et al. 2015, arXiv:1409.4842), half of
    them mirrored, RandAugment with N = 2 and M = 9, and in half of them a rectangle erased to the mean pixel (Zhong et
    al. 2020, arXiv:1708.04896).
    ``presized``: images have the crop's size already.
    """

    name: Literal["light", "strong"]
    preprocessing: Preprocessing
    presized: bool
    seed: int

    @classmethod
    def of(cls, name: Augment, preprocessing: Preprocessing, presized: bool, seed: int) -> Augmentation | None:
        """What ``data.augment`` asks for; None for ``none``."""
        return None if name == "none" else cls(name, preprocessing, presized, seed)

    def view(self, image: Image.Image, index: int, epoch: int) -> NDArray[np.uint8]:
        """The pixels [crop, crop, 3] of the source's image ``index``, RGB, in an epoch counted from 0."""
        random = np.random.default_rng([self.seed, epoch, index, _STREAM])
        light = self.name == "light"
        box = self._box_near_plain(image.size, random) if light else _box_inside(image.size, random)
        view = _framed(image, box, self.preprocessing)
        if random.random() < 0.5:
            view = ImageOps.mirror(view)
        if light:
            return np.array(view)
        red, green, blue = (round(255 * mean) for mean in self.preprocessing.mean)
        view = rand_augment(view, random, (red, green, blue))
        return _erased(np.array(view), random, (red, green, blue))

    def _box_near_plain(self, size: tuple[int, int], random: np.random.Generator) -> Box:
        plain = self.preprocessing
        side = min(size) * (1.0 if self.presized else plain.crop / plain.resize)
        width, height = _sides(side * side, _LIGHT_AREA, _LIGHT_RATIO, random)
        x, y = (length / 2 + side * random.uniform(-_LIGHT_SHIFT, _LIGHT_SHIFT) for length in size)
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _box_inside(size: tuple[int, int], random: np.random.Generator) -> Box:
    width, height = _sides(size[0] * size[1], _STRONG_AREA, _STRONG_RATIO, random)
    fit = min(1.0, size[0] / width, size[1] / height)
    width, height = width * fit, height * fit
    x, y = random.random() * (size[0] - width), random.random() * (size[1] - height)
    return x, y, x + width, y + height


def _sides(area: float, shares: tuple[float, float], ratio: float, random: np.random.Generator) -> tuple[float, float]:
    """Width and height of a random part of an area, their proportion at most ``ratio`` either way."""
    part = area * random.uniform(*shares)
    proportion = math.exp(random.uniform(-math.log(ratio), math.log(ratio)))
    return math.sqrt(part * proportion), math.sqrt(part / proportion)


def _framed(image: Image.Image, box: Box, preprocessing: Preprocessing) -> Image.Image:
    """A part of an image at the crop's size; what lies beyond the edges is mirrored in."""
    left, top, right, bottom = math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
    width, height = image.size
    part = image.crop((max(left, 0), max(top, 0), min(right, width), min(bottom, height)))
    beyond = ((max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0)), (0, 0))
    if any(map(any, beyond)):
        part = Image.fromarray(np.pad(np.asarray(part), beyond, "symmetric"))
    return part.resize(
        (preprocessing.crop, preprocessing.crop),
        Image.Resampling[preprocessing.interpolation.upper()],
        # Rounding can carry a side beyond the whole pixels by a trillionth, which Pillow refuses.
        box=(box[0] - left, box[1] - top, min(box[2] - left, part.width), min(box[3] - top, part.height)),
    )


def _erased(pixels: NDArray[np.uint8], random: np.random.Generator, fill: Pixel) -> NDArray[np.uint8]:
    if random.random() < _ERASED_SHARE:
        size = len(pixels)
        width, height = (min(max(round(s), 1), size) for s in _sides(size**2, _ERASED_AREA, _ERASED_RATIO, random))
        x, y = random.integers(size - width + 1), random.integers(size - height + 1)
        pixels[y : y + height, x : x + width] = fill
    return pixels
