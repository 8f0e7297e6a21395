"""Every kind of image to pixels; batches in order; the split."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torchvision.transforms._presets import ImageClassification
from torchvision.transforms.functional import InterpolationMode, pil_to_tensor

from fxtui.config import ConfigError, DataConfig
from fxtui.engine.data.decode import BrokenImageError, open_rgb
from fxtui.engine.data.loader import PixelLoader
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.engine.data.sources.source import open_source
from fxtui.engine.data.split import make_split
from tests.engine.data.sources.messy import jpeg_bytes, messy_folder, photo

IMAGENET = Preprocessing(256, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


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


@pytest.mark.parametrize("size", [(300, 500), (500, 300), (224, 224), (256, 256), (100, 40), (257, 1031)])
@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
@pytest.mark.parametrize("crop", [224, 64])
def test_pixels_equal_torchvisions_preset(size: tuple[int, int], kind: str, crop: int) -> None:
    ours = Preprocessing(256, 224, IMAGENET.mean, IMAGENET.std, kind).at_size(crop)  # type: ignore[arg-type]
    image = photo(7, size)
    preset = ImageClassification(crop_size=crop, resize_size=ours.resize, interpolation=InterpolationMode(kind))
    theirs = preset(image)
    found = pil_to_tensor(Image.fromarray(ours.fit(image))).float() / 255
    for channel in range(3):
        found[channel] = (found[channel] - IMAGENET.mean[channel]) / IMAGENET.std[channel]
    assert float((found - theirs).abs().max()) < 1e-6


def test_batches_come_in_order_and_name_what_is_broken(tmp_path: Path) -> None:
    source = open_source(DataConfig(source=str(messy_folder(tmp_path))))
    groups = [np.arange(len(source))[::-1][i : i + 7] for i in range(0, len(source), 7)]
    batches = list(PixelLoader(source, IMAGENET.at_size(32)).batches(groups))
    assert [batch.indices.tolist() for batch in batches] == [group.tolist() for group in groups]
    broken = {source.image_name(int(b.indices[at])): why for b in batches for at, why in b.broken}
    assert set(broken) == {"cats/torn.jpg", "cats/text.png"}
    for batch in batches:
        for at, index in enumerate(batch.indices):
            if source.image_name(int(index)) not in broken:
                alone = IMAGENET.at_size(32).fit(source.read(int(index), IMAGENET.at_size(32).resize))
                assert np.array_equal(batch.pixels[at], alone)


def test_closing_early_leaves_no_thread() -> None:
    source = open_source(DataConfig(source="digits"))
    before = threading.active_count()
    batches = PixelLoader(source, IMAGENET.at_size(64), threads=2).batches([np.arange(8)] * 50)
    next(batches)
    batches.close()
    assert threading.active_count() == before


@given(
    st.lists(st.integers(0, 4), min_size=12, max_size=200),
    st.floats(0.1, 0.6),
    st.integers(0, 2**32),
)
def test_the_split_is_complete_stratified_and_repeatable(labels: list[int], fraction: float, seed: int) -> None:
    array = np.array([*range(5), *range(5), *labels])
    classes = tuple("abcde")
    split = make_split(array, None, val_fraction=fraction, limit=0, seed=seed, classes=classes)
    assert sorted([*split.train, *split.val]) == list(range(len(array)))
    counts, val = np.bincount(array, minlength=5), np.bincount(array[split.val], minlength=5)
    assert (val <= counts - 1).all()
    assert (np.abs(val - counts * (len(split.val) / len(array))) <= 1 + 1e-9).all()
    again = make_split(array, None, val_fraction=fraction, limit=0, seed=seed, classes=classes)
    assert np.array_equal(split.val, again.val)


def test_the_demo_has_800_and_200() -> None:
    labels = open_source(DataConfig(source="digits")).labels
    split = make_split(labels, None, val_fraction=0.2, limit=1000, seed=0, classes=tuple("0123456789"))
    assert (len(split.train), len(split.val)) == (800, 200)


def test_no_validation_image_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"data.val_fraction = 0.01: of 4 images none would validate"):
        make_split(np.array([0, 0, 1, 1]), None, val_fraction=0.01, limit=0, seed=0, classes=("a", "b"))
