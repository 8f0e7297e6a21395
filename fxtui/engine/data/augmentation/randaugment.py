"""RandAugment: a few operations drawn at random, all of one strength.

Source: Cubuk et al. 2020 (arXiv:1909.13719), with the ranges and the 31 magnitudes of torchvision's ``RandAugment``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

Pixel = tuple[int, int, int]

_STRONGEST = 30


@dataclass(frozen=True, slots=True)
class Operation:
    """``apply`` takes an RGB image, a strength and the pixel that fills what an image leaves empty.

    The strength runs from 0 to 1, from -1 if ``signed``; an operation without strength takes any.
    """

    name: str
    apply: Callable[[Image.Image, float, Pixel], Image.Image]
    signed: bool = False


def rand_augment(
    image: Image.Image, random: np.random.Generator, fill: Pixel, count: int = 2, magnitude: int = 9
) -> Image.Image:
    """An RGB image after ``count`` operations of ``magnitude`` 0 to 30, upwards or downwards where there are both."""
    for _ in range(count):
        operation = OPERATIONS[random.integers(len(OPERATIONS))]
        sign = -1 if operation.signed and random.integers(2) else 1
        image = operation.apply(image, sign * magnitude / _STRONGEST, fill)
    return image


def _affine(image: Image.Image, matrix: tuple[float, ...], fill: Pixel) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=fill)


def _shear_x(image: Image.Image, strength: float, fill: Pixel) -> Image.Image:
    return _affine(image, (1, 0.3 * strength, 0, 0, 1, 0), fill)


def _shear_y(image: Image.Image, strength: float, fill: Pixel) -> Image.Image:
    return _affine(image, (1, 0, 0, 0.3 * strength, 1, 0), fill)


def _translate_x(image: Image.Image, strength: float, fill: Pixel) -> Image.Image:
    return _affine(image, (1, 0, -int(150 / 331 * image.width * strength), 0, 1, 0), fill)


def _translate_y(image: Image.Image, strength: float, fill: Pixel) -> Image.Image:
    return _affine(image, (1, 0, 0, 0, 1, -int(150 / 331 * image.height * strength)), fill)


def _rotate(image: Image.Image, strength: float, fill: Pixel) -> Image.Image:
    return image.rotate(30 * strength, Image.Resampling.BILINEAR, fillcolor=fill)


OPERATIONS = (
    Operation("Identity", lambda image, _strength, _fill: image),
    Operation("ShearX", _shear_x, signed=True),
    Operation("ShearY", _shear_y, signed=True),
    Operation("TranslateX", _translate_x, signed=True),
    Operation("TranslateY", _translate_y, signed=True),
    Operation("Rotate", _rotate, signed=True),
    Operation("Brightness", lambda image, s, _: ImageEnhance.Brightness(image).enhance(1 + 0.9 * s), signed=True),
    Operation("Color", lambda image, s, _: ImageEnhance.Color(image).enhance(1 + 0.9 * s), signed=True),
    Operation("Contrast", lambda image, s, _: ImageEnhance.Contrast(image).enhance(1 + 0.9 * s), signed=True),
    Operation("Sharpness", lambda image, s, _: ImageEnhance.Sharpness(image).enhance(1 + 0.9 * s), signed=True),
    Operation("Posterize", lambda image, strength, _: ImageOps.posterize(image, 8 - round(4 * strength))),
    Operation("Solarize", lambda image, strength, _: ImageOps.solarize(image, math.ceil(255 * (1 - strength)))),
    Operation("AutoContrast", lambda image, _strength, _fill: ImageOps.autocontrast(image)),
    Operation("Equalize", lambda image, _strength, _fill: ImageOps.equalize(image)),
)
