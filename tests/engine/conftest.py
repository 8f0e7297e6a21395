"""Images that several of the engine's tests train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def unbalanced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty, fourteen and six images of three classes, told apart by their colour, barely."""
    root, rng = tmp_path_factory.mktemp("unbalanced"), np.random.default_rng(0)
    for at, (name, count) in enumerate((("many", 40), ("some", 14), ("few", 6))):
        (root / name).mkdir()
        for number in range(count):
            noise = rng.normal(110, 40, (32, 32, 3))
            noise[..., at] += 25
            Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(root / name / f"{number}.png")
    return root
