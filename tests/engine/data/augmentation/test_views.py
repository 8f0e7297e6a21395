"""Views of training images: repeatable whoever asks and when, different in every epoch, and of the drawn kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.autoaugment import RandAugment, _apply_op

from fxtui.config import DataConfig
from fxtui.engine.data.augmentation import randaugment
from fxtui.engine.data.augmentation.randaugment import OPERATIONS, Operation
from fxtui.engine.data.augmentation.views import Augmentation
from fxtui.engine.data.loader import PixelLoader
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.engine.data.sources.source import open_source

PLAIN = Preprocessing(256, 224, (0.5, 0.25, 0.75), (0.2, 0.2, 0.2)).at_size(48)
MEAN = (128, 64, 191)
KINDS = ("light", "strong")


def augmentation(name: str, seed: int = 0, presized: bool = False) -> Augmentation:
    found = Augmentation.of(name, PLAIN, presized, seed)  # type: ignore[arg-type]
    assert found is not None
    return found


def photo(size: tuple[int, int]) -> Image.Image:
    """Smooth colours with some noise, not using all of the range."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    smooth = np.stack([200 * x, 180 * y, 90 + 60 * np.sin(9 * x * y)], axis=2)
    return Image.fromarray(np.clip(smooth + np.random.default_rng(0).normal(20, 8, smooth.shape), 10, 230).astype("u1"))


def test_none_is_no_augmentation() -> None:
    assert Augmentation.of("none", PLAIN, False, 0) is None


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("threads", [1, 4])
def test_a_view_depends_on_nothing_but_seed_epoch_and_image(name: str, threads: int) -> None:
    source = open_source(DataConfig(source="digits", image_size=48))
    augment = augmentation(name, seed=3, presized=True)
    order = np.random.default_rng(1).permutation(30)
    loader = PixelLoader(source, PLAIN, threads)
    batches = list(loader.batches([order[:7], order[7:]], lambda image, index: augment.view(image, index, 2)))
    for batch in batches:
        for index, pixels in zip(batch.indices, batch.pixels, strict=True):
            alone = augmentation(name, seed=3, presized=True).view(source.read(int(index)), int(index), 2)
            assert np.array_equal(pixels, alone)


@pytest.mark.parametrize("name", KINDS)
def test_another_epoch_image_or_seed_gives_another_view(name: str) -> None:
    image = photo((90, 70))
    views = [
        augmentation(name, seed).view(image, index, epoch) for seed in (0, 1) for index in (0, 7) for epoch in (0, 1)
    ]
    assert len({view.tobytes() for view in views}) == len(views)


@pytest.mark.parametrize("name", KINDS)
@given(st.integers(1, 400), st.integers(1, 400), st.booleans(), st.integers(0, 2**63 - 1), st.integers(0, 1000))
@settings(max_examples=80, deadline=None)
def test_any_image_gives_a_view_of_the_right_size(
    name: str, width: int, height: int, presized: bool, seed: int, epoch: int
) -> None:
    augment = augmentation(name, seed, presized)
    for index in range(3):
        view = augment.view(Image.new("RGB", (width, height), (9, 99, 199)), index, epoch)
        assert (view.shape, view.dtype) == ((48, 48, 3), np.uint8)
        if name == "light":
            # Nothing is padded with black or with anything else that is not in the image.
            assert (view == (9, 99, 199)).all()


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (48, 48)])
def test_light_stays_near_the_plain_view(size: tuple[int, int]) -> None:
    """On a ramp from left to right the columns tell which part of the width a view shows, and which way round."""
    presized = size == (48, 48)
    ramp = np.broadcast_to(np.linspace(0, 255, size[0])[None, :, None], (size[1], size[0], 3)).astype(np.uint8)
    image = Image.fromarray(ramp)
    plain = PLAIN.fit(image, presized)[:, :, 0].mean(0)
    span = plain.max() - plain.min()
    widths, shifts, mirrored = [], [], 0
    for index in range(200):
        columns = augmentation("light", presized=presized).view(image, index, 0)[:, :, 0].mean(0)
        mirrored += columns[0] > columns[-1]
        widths.append((columns.max() - columns.min()) / span)
        shifts.append((columns.mean() - plain.mean()) / span)
    assert 70 <= mirrored <= 130
    assert 0.68 <= min(widths) < 0.85
    assert 0.95 < max(widths) <= 1.06
    assert -0.12 < min(shifts) < -0.05
    assert 0.05 < max(shifts) < 0.12


def test_strong_crops_and_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(randaugment, "OPERATIONS", OPERATIONS[:1])
    ramp = Image.fromarray(np.broadcast_to(np.arange(256)[None, :, None], (256, 256, 3)).astype(np.uint8))
    rows = [augmentation("strong").view(ramp, index, 0)[:, :, 0].astype(int) for index in range(200)]
    widths = [np.ptp(view, axis=1).max() / 255 for view in rows]
    mirrored = sum(np.median(np.diff(view, axis=1)) < 0 for view in rows)
    assert 0.4 < min(widths) < 0.55
    assert max(widths) > 0.95
    assert 70 <= mirrored <= 130


def test_strong_erases_a_rectangle_of_the_mean_pixel_in_half_the_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(randaugment, "OPERATIONS", OPERATIONS[:1])
    white = Image.new("RGB", (80, 60), "white")
    shares = []
    for index in range(300):
        view = augmentation("strong").view(white, index, 0)
        erased = (view == MEAN).all(2)
        assert (view[~erased] == 255).all()
        if erased.any():
            rows, columns = np.flatnonzero(erased.any(1)), np.flatnonzero(erased.any(0))
            assert erased[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            shares.append(erased.mean())
    assert 115 <= len(shares) <= 185
    assert 0.015 < min(shares) < 0.06
    assert 0.27 < max(shares) < 0.35


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("level", [9, 25])
def test_an_operation_is_torchvisions(operation: Operation, level: int) -> None:
    image = photo((61, 47))
    magnitudes, signed = RandAugment()._augmentation_space(31, (47, 61))[operation.name]
    assert operation.signed == signed
    magnitude = float(magnitudes[level]) if magnitudes.ndim else 0.0
    for sign in (1, -1) if signed else (1,):
        found = operation.apply(image, sign * level / 30, MEAN)
        expected = _apply_op(image, operation.name, sign * magnitude, InterpolationMode.BILINEAR, list(MEAN))
        difference = np.abs(np.asarray(found).astype(int) - np.asarray(expected))
        # torchvision's magnitudes are float32 and its shears go through an angle: a pixel may round the other way.
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01
        changed = not np.array_equal(np.asarray(found), np.asarray(image))
        assert changed == (operation.name != "Identity")


def test_the_operations_are_the_papers_fourteen() -> None:
    assert [operation.name for operation in OPERATIONS] == list(RandAugment()._augmentation_space(31, (47, 61)))


def test_two_operations_are_drawn_from_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, float]] = []

    def noted(name: str, signed: bool) -> Operation:
        def apply(image: Image.Image, strength: float, _fill: randaugment.Pixel) -> Image.Image:
            seen.append((name, strength))
            return image

        return Operation(name, apply, signed)

    monkeypatch.setattr(randaugment, "OPERATIONS", tuple(noted(o.name, o.signed) for o in OPERATIONS))
    for index in range(300):
        augmentation("strong").view(Image.new("RGB", (20, 20)), index, 0)
    assert len(seen) == 600
    assert {name for name, _ in seen} == {operation.name for operation in OPERATIONS}
    assert {strength for name, strength in seen if name == "Rotate"} == {0.3, -0.3}
    assert {strength for name, strength in seen if name == "Solarize"} == {0.3}
