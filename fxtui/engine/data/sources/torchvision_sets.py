"""torchvision's classification data sets, by name."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import inspect
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fxtui.config import ConfigError
from fxtui.engine.data.decode import BrokenImageError
from fxtui.engine.downloads import short_timeout
from fxtui.machine.directories import data_sets
from fxtui.protocol.events import SkippedFile

# How each data set is asked for its training and its validation part.
_BY_FLAG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = dict.fromkeys(
    ("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "KMNIST", "QMNIST"), ({"train": True}, {"train": False})
)
_TRAIN_TEST = ({"split": "train"}, {"split": "test"})
_TRAIN_VAL = ({"split": "train"}, {"split": "val"})
_PARTS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    **_BY_FLAG,
    "SVHN": _TRAIN_TEST,
    "STL10": _TRAIN_TEST,
    "Food101": _TRAIN_TEST,
    "GTSRB": _TRAIN_TEST,
    "StanfordCars": _TRAIN_TEST,
    "Flowers102": _TRAIN_VAL,
    "DTD": _TRAIN_VAL,
    "FGVCAircraft": _TRAIN_VAL,
    "RenderedSST2": _TRAIN_VAL,
    "PCAM": _TRAIN_VAL,
    "Imagenette": _TRAIN_VAL,
    "Country211": ({"split": "train"}, {"split": "valid"}),
    "OxfordIIITPet": ({"split": "trainval"}, {"split": "test"}),
    "EuroSAT": ({}, None),
    "SUN397": ({}, None),
    "Caltech101": ({}, None),
    "Caltech256": ({}, None),
}


class NotHereError(ConfigError):
    """A data set is not on disk."""


class TorchvisionSource:
    """One or two torchvision data sets as one source; the second is the validation part."""

    not_images = 0
    skipped: tuple[SkippedFile, ...] = ()
    presized = False

    def __init__(self, name: str, parts: list[Any]) -> None:
        self.name = f"torchvision:{name}"
        self._parts = parts
        labels = [_labels(part) for part in parts]
        self._starts = np.cumsum([0, *map(len, labels)])
        self.labels: NDArray[np.int64] = np.concatenate(labels)
        found = next((getattr(part, "classes", None) for part in parts if getattr(part, "classes", None)), None)
        count = int(self.labels.max()) + 1
        named = [str(label) for label in found] if found is not None and len(found) >= count else None
        self.classes = tuple(named or [str(i) for i in range(count)])
        self.own_split: NDArray[np.int8] | None = None
        if len(parts) == 2:
            self.own_split = np.repeat(np.array([0, 1], dtype=np.int8), [len(part) for part in labels])

    def __len__(self) -> int:
        return len(self.labels)

    def image_name(self, index: int) -> str:
        """E.g. ``train 12``."""
        part, position = self._locate(index)
        return f"{('train', 'val')[part]} {position}"

    def read(self, index: int, target: int = 0) -> Image.Image:  # noqa: ARG002  # torchvision decodes these itself
        """The image as the data set gives it, RGB."""
        part, position = self._locate(index)
        try:
            image = self._parts[part][position][0]
        except (OSError, ValueError, SyntaxError) as error:
            raise BrokenImageError(str(error).splitlines()[0] if str(error) else type(error).__name__) from None
        rgb: Image.Image = image.convert("RGB")
        return rgb

    def fingerprint(self) -> str:
        """Over the name and the labels; torchvision checks the files it downloads."""
        return hashlib.blake2b(self.name.encode() + self.labels.tobytes(), digest_size=16).hexdigest()

    def _locate(self, index: int) -> tuple[int, int]:
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        return part, index - int(self._starts[part])


def data_root() -> Path:
    """Where data sets lie."""
    return data_sets()


def open_torchvision(name: str, *, download: bool = True) -> TorchvisionSource:
    """A data set from disk, downloaded first where it is not there.

    Raises:
        NotHereError: it is not on disk, and ``download`` is False.
        ConfigError: there is no such data set, or it is not on disk and cannot be downloaded.
    """
    import torchvision

    if name not in _PARTS or not hasattr(torchvision.datasets, name):
        close = difflib.get_close_matches(name, _PARTS, n=1, cutoff=0.5)
        hint = f"did you mean torchvision:{close[0]}?" if close else "known: " + ", ".join(sorted(_PARTS))
        raise ConfigError(f"data.source = 'torchvision:{name}': unknown data set; {hint}")
    kind = getattr(torchvision.datasets, name)
    return TorchvisionSource(name, [_open(kind, name, part, download) for part in _PARTS[name] if part is not None])


def _open(kind: Any, name: str, part: dict[str, Any], download: bool) -> Any:
    root = data_root() / name
    where = f"data.source = 'torchvision:{name}'"
    downloads = "download" in inspect.signature(kind).parameters
    with contextlib.suppress(RuntimeError, OSError), _quiet():
        return kind(root, **part, **({"download": False} if downloads else {}))
    if not download:
        raise NotHereError(f"{where}: not in {root}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _quiet(), short_timeout():
            return kind(root, **part, **({"download": True} if downloads else {}))
    except ImportError as error:
        raise ConfigError(f"{where}: needs another package: {error}") from None
    except (OSError, RuntimeError, ValueError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"{where}: not in {root} and could not be downloaded ({text}); on a machine with a network run "
            f"torchvision.datasets.{name}('{name}', download=True) and copy that folder to {root}"
        ) from None


def _labels(part: Any) -> NDArray[np.int64]:
    for name in ("targets", "labels", "_labels", "y"):
        if (found := getattr(part, name, None)) is not None:
            return np.asarray(found, dtype=np.int64)
    for name in ("_samples", "samples"):
        if (found := getattr(part, name, None)) is not None:
            return np.array([label for _, label in found], dtype=np.int64)
    if (inner := getattr(part, "dataset", None)) is not None:
        return _labels(inner)
    return np.array([part[i][1] for i in range(len(part))], dtype=np.int64)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torchvision prints while it downloads; a dashboard or a JSON stream has no use for that."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
