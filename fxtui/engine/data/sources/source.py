"""Where images come from: what a source offers, and how a configuration opens one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fxtui.config import ConfigError, DataConfig
from fxtui.engine.data.decode import BrokenImageError
from fxtui.machine.directories import expanded
from fxtui.protocol.events import SkippedFile

__all__ = ["TEST", "TRAIN", "VAL", "BrokenImageError", "ImageSource", "needs_torch", "open_source"]

TRAIN, VAL, TEST = 0, 1, 2


class ImageSource(Protocol):
    """Labelled images by number.

    ``labels`` [n] are positions in ``classes``; ``own_split`` [n] holds TRAIN, VAL or TEST if the source comes split;
    ``not_images`` counts files that are no images, ``skipped`` names files left out; ``presized`` says that images are
    to be seen whole: they come at the configured size already, if one is configured.
    """

    name: str
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    own_split: NDArray[np.int8] | None
    not_images: int
    skipped: tuple[SkippedFile, ...]
    presized: bool

    def __len__(self) -> int: ...

    def image_name(self, index: int) -> str:
        """What an image is called, for people."""

    def read(self, index: int, target: int = 0) -> Image.Image:
        """The image, RGB and upright; ``target`` is the length its shorter side will be resized to, 0: as it is.

        May be called from several threads at once.

        Raises:
            BrokenImageError: it cannot be decoded.
        """

    def fingerprint(self) -> str:
        """Changes whenever the images, their labels or how they are read change."""


def needs_torch(data: DataConfig) -> bool:
    """Whether opening the source imports torch."""
    return data.source.startswith("torchvision:")


def open_source(data: DataConfig) -> ImageSource:
    """Open the configured source and list its images; none is read.

    Raises:
        ConfigError: it is not there, or holds no classes to tell apart.
    """
    if data.source == "digits":
        from fxtui.engine.data.sources.digits import Digits

        return Digits(data.image_size)
    if needs_torch(data):
        from fxtui.engine.data.sources.torchvision_sets import open_torchvision

        return open_torchvision(data.source.partition(":")[2])
    path = expanded(data.source)
    if path.suffix.lower() == ".csv":
        from fxtui.engine.data.sources.manifest import open_manifest

        return open_manifest(path)
    if not path.exists():
        raise ConfigError(
            f"data.source = '{data.source}': no such folder; expected digits, a folder with a sub-folder a class, "
            "a .csv manifest or torchvision:NAME"
        )
    if not path.is_dir():
        raise ConfigError(f"data.source = '{data.source}': a file; expected a folder, or a manifest ending in .csv")
    from fxtui.engine.data.sources.folder import open_folder

    return open_folder(path)
