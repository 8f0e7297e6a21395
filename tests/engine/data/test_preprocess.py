"""Any image to the square of pixels that a backbone was trained on."""

from __future__ import annotations

import pytest
from PIL import Image
from torchvision.transforms._presets import ImageClassification
from torchvision.transforms.functional import InterpolationMode, pil_to_tensor

from fxtui.engine.data.preprocess import Preprocessing
from tests.engine.data.sources.messy import photo

IMAGENET = Preprocessing(256, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


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
