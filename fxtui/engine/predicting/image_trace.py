"""One image's way through a network: what goes in, the features, the logits, the probabilities."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from fxtui.config import ConfigError
from fxtui.engine.data.decode import BrokenImageError, open_rgb
from fxtui.engine.data.normalise import Normaliser
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.freezing.modes import eval_mode
from fxtui.machine.directories import expanded
from fxtui.protocol.events import ClassScore, Prediction, Thumbnail

_BINS = 40
_MOST_CLASSES = 20
_THUMBNAIL = 64

Autocast = Callable[[], AbstractContextManager[Any]]
# The logits [1, classes] of a validation image by its row, from what is cached of it; None where nothing is.
FromCache = Callable[[int], Tensor | None]


@dataclass(frozen=True, slots=True)
class Weights:
    """Which weights predict: after ``step`` batches, in or after ``epoch``."""

    epoch: int
    step: int
    source: Literal["live", "best", "last"]


class ImageTracer:
    """Runs images through a model in eval mode, one at a time, and leaves it as it was.

    ``head`` is the module path of the head. The random state is not drawn from.
    """

    def __init__(self, model: nn.Module, head: str, preprocessing: Preprocessing, device: torch.device) -> None:
        self._model = model
        self._head = model.get_submodule(head)
        self._preprocessing = preprocessing
        self._normalise = Normaliser(preprocessing, device)

    def read(self, path: Path) -> NDArray[np.uint8]:
        """The pixels [size, size, 3] of an image file, as the network is to see them.

        Raises:
            ConfigError: there is no such file, or it is no readable image.
        """
        try:
            return self._preprocessing.fit(open_rgb(path, self._preprocessing.resize))
        except FileNotFoundError:
            raise ConfigError(f"IMAGE {path}: no such file") from None
        except IsADirectoryError:
            raise ConfigError(f"IMAGE {path}: is a folder; give an image file") from None
        except (BrokenImageError, OSError) as error:
            raise ConfigError(f"IMAGE {path}: {error}") from None

    def run(
        self,
        pixels: NDArray[np.uint8],
        autocast: Autocast = nullcontext,
        from_cache: Callable[[], Tensor | None] = lambda: None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels [size, size, 3] -> images [1, 3, size, size], features [F], logits [classes], the last two float32.

        ``from_cache`` gives logits [1, classes] that are had without the frozen layers, or None.
        """
        images = self._normalise(pixels[None].copy())
        read: list[Tensor] = []

        def remember(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            read.append(inputs[0])

        handle = self._head.register_forward_pre_hook(remember)
        try:
            with eval_mode(self._model), torch.inference_mode(), autocast():
                logits = from_cache()
                # A suffix that was traced through the head does not call it.
                if logits is None or not read:
                    read.clear()
                    logits = self._model(images)
        finally:
            handle.remove()
        return images, read[0][0].float().flatten(), logits[0].float()

    def trace(
        self,
        pixels: NDArray[np.uint8],
        image: str,
        weights: Weights,
        *,
        number: int | None = None,
        true: int | None = None,
        autocast: Autocast = nullcontext,
        from_cache: Callable[[], Tensor | None] = lambda: None,
    ) -> Prediction:
        """What becomes of pixels [size, size, 3]. ``true`` is the class's number where it is known."""
        images, features, logits = self.run(pixels, autocast, from_cache)
        logs = logits.log_softmax(0)
        chances = logs.exp()
        top = logits.topk(min(_MOST_CLASSES, len(logits)))
        scores = zip(top.indices.tolist(), top.values.tolist(), chances[top.indices].tolist(), strict=True)
        parts = features.abs().tensor_split(min(_BINS, len(features)))
        return Prediction(
            image=image,
            number=number,
            true=true,
            predicted=int(logits.argmax()),
            loss=None if true is None else -float(logs[true]),
            input_shape=tuple(images.shape[1:]),
            pixel_min=float(pixels.min()) / 255,
            pixel_max=float(pixels.max()) / 255,
            pixel_mean=float(pixels.mean()) / 255,
            features=len(features),
            feature_bins=tuple(float(part.mean()) for part in parts),
            features_positive=float((features > 0).float().mean()),
            classes=len(logits),
            logit_min=float(logits.min()),
            logit_max=float(logits.max()),
            entropy=float(torch.special.entr(chances).sum()),
            scores=tuple(ClassScore(*score) for score in scores),
            thumbnail=_thumbnail(pixels),
            epoch=weights.epoch,
            step=weights.step,
            source=weights.source,
        )

    def trace_all(
        self,
        asked: tuple[int | str, ...],
        images: ImageRows,
        weights: Weights,
        autocast: Autocast = nullcontext,
        from_cache: FromCache = lambda _: None,
    ) -> list[Prediction]:
        """Trace validation images by number and files by path.

        Where a validation image's frontier tensors are cached, the trace starts from them: it takes less, and they
        are those that the epoch was validated with.

        Raises:
            ConfigError: there is no such image, or it cannot be read.
        """
        found: list[Prediction] = []
        for one in asked:
            if isinstance(one, str):
                found.append(self.trace(self.read(expanded(one)), one, weights, autocast=autocast))
                continue
            if not 0 <= one < len(images.val):
                raise ConfigError(f"val #{one}: there are {len(images.val)} validation images, numbered from 0")
            row = int(images.val[one])
            ((_, batch),) = images.read([images.val[one : one + 1]])
            if batch.broken:
                raise ConfigError(f"val #{one} ({images.name(row)}): {batch.broken[0][1]}")
            name, label = f"val #{one}", int(images.labels[row])
            found.append(
                self.trace(
                    batch.pixels[0],
                    name,
                    weights,
                    number=one,
                    true=label,
                    autocast=autocast,
                    from_cache=partial(from_cache, row),
                )
            )
        return found


def _thumbnail(pixels: NDArray[np.uint8]) -> Thumbnail:
    picture = Image.fromarray(pixels)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return Thumbnail(picture.width, picture.height, zlib.compress(picture.tobytes()))
