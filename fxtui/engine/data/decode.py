"""One image file to RGB pixels, whatever its mode, its rotation or its depth."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

_NOT_PHOTOS = {".pdf", ".eps", ".ps", ".mpg", ".mpeg", ".fpx", ".h5", ".hdf", ".grib", ".bufr", ".wmf", ".emf"}
# Pillow's reduced decoding of JPEG is used only where at least twice the pixels remain that the resize needs.
_REDUCING_GAP = 2


class BrokenImageError(ValueError):
    """An image that cannot be decoded; the message is a short reason."""


@cache
def image_suffixes() -> frozenset[str]:
    """The file endings, in lower case, of the raster formats that can be read here."""
    Image.init()
    readable = {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN}
    return frozenset(readable - _NOT_PHOTOS)


def looks_like_image(name: str) -> bool:
    """Whether a file's ending says that it is an image."""
    return Path(name).suffix.lower() in image_suffixes()


def open_rgb(path: Path, target: int = 0) -> Image.Image:
    """Decode an image file: upright by its EXIF rotation, transparency on white, 16 bits scaled to 8, RGB.

    ``target`` is the length its shorter side will be resized to; a JPEG far larger is decoded at a half, quarter or
    eighth of its size (never below twice the target). 0: decode as it is.

    Raises:
        BrokenImageError: the file is empty, truncated, too large, or no image.
        FileNotFoundError: there is no such file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if target and image.format == "JPEG":
                    image.draft(None, (target * _REDUCING_GAP, target * _REDUCING_GAP))
                image.load()
                return _to_rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise
    except UnidentifiedImageError:
        empty = path.stat().st_size == 0
        raise BrokenImageError("empty file" if empty else "not a readable image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BrokenImageError("too many pixels") from None
    # Pillow's decoders raise almost anything on damaged bytes; each of these means that this file is broken.
    except (OSError, SyntaxError, ValueError, IndexError, KeyError, TypeError, EOFError, OverflowError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BrokenImageError("truncated" if "truncated" in text.lower() else text[:80]) from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("LA", "PA", "La", "RGBa"):
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _deep_grey(image)
    return image.convert("RGB")


def _deep_grey(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits to 8: 16-bit by its full range, floats by 0..1 or their own range."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F":
        low, high = float(values.min()), float(values.max())
        scale = 255.0 if low >= 0 and high <= 1 else 255.0 / (high - low) if high > low else 0.0
        values = (values - (0.0 if low >= 0 and high <= 1 else low)) * scale
    elif values.max() > 255:
        values = values / 257.0
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)).convert("RGB")
