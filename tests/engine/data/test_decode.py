"""Every kind of image file to pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from fxtui.engine.data.decode import BrokenImageError, open_rgb
from tests.engine.data.sources.messy import jpeg_bytes, photo


def centre(path: Path) -> tuple[int, ...]:
    image = open_rgb(path)
    assert image.mode == "RGB"
    found = image.getpixel((image.width // 2, image.height // 2))
    assert isinstance(found, tuple)
    return found


def test_transparent_pixels_lie_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("RGBA", (8, 8), (0, 0, 0, 128)).save(tmp_path / "half.png")
    Image.new("LA", (8, 8), (0, 0)).save(tmp_path / "grey.png")
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([10, 20, 30])
    palette.save(tmp_path / "palette.png", transparency=0)
    assert centre(tmp_path / "clear.png") == (255, 255, 255)
    assert centre(tmp_path / "grey.png") == (255, 255, 255)
    assert centre(tmp_path / "palette.png") == (255, 255, 255)
    assert 125 <= centre(tmp_path / "half.png")[0] <= 129


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(np.full((8, 8), 32896, np.uint16)).save(tmp_path / f"deep.{suffix}")
    assert centre(tmp_path / f"deep.{suffix}") == (128, 128, 128)


def test_floats_cmyk_and_one_bit(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "float.tiff")
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "print.jpg")
    Image.new("1", (8, 8), 1).save(tmp_path / "bit.png")
    assert centre(tmp_path / "float.tiff") == (128, 128, 128)
    red = centre(tmp_path / "print.jpg")
    assert red[0] > 200
    assert max(red[1:]) < 60
    assert centre(tmp_path / "bit.png") == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(tmp_path: Path, orientation: int) -> None:
    image = Image.new("RGB", (16, 8), "white")
    image.paste((255, 0, 0), (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "turned.png", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(tmp_path / "turned.png"))
    found = open_rgb(tmp_path / "turned.png")
    assert found.size == ((16, 8) if orientation < 5 else (8, 16))
    assert np.array_equal(np.asarray(found), np.asarray(expected.convert("RGB")))


def test_broken_images_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "torn.jpg").write_bytes(jpeg_bytes(photo(1, (300, 300)))[:2000])
    photo(2, (300, 300)).save(tmp_path / "whole.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "whole.png").read_bytes()[:3000])
    for name, reason in (("empty.png", "empty"), ("text.jpg", "not a readable"), ("torn.jpg", "truncated")):
        with pytest.raises(BrokenImageError, match=reason):
            open_rgb(tmp_path / name)
    with pytest.raises(BrokenImageError):
        open_rgb(tmp_path / "torn.png")


def test_a_large_jpeg_is_decoded_smaller_but_never_too_small(tmp_path: Path) -> None:
    photo(1, (1600, 1200)).save(tmp_path / "large.jpg")
    assert open_rgb(tmp_path / "large.jpg").size == (1600, 1200)
    reduced = open_rgb(tmp_path / "large.jpg", target=224)
    assert 448 <= min(reduced.size) < 1200
