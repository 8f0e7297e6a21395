"""From a configuration to what it means: the model, loaded, frozen, with a new head, and the images that it reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fxtui.config import ConfigError, RunConfig
from fxtui.engine.backbones.load import LoadedModel, load_model
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.data.sources.source import ImageSource
from fxtui.engine.data.split import Split, make_split
from fxtui.engine.freezing.modes import eval_mode
from fxtui.engine.freezing.state import Freezing
from fxtui.protocol.commands import CommandRefusedError
from fxtui.protocol.events import Shape


@dataclass(frozen=True, slots=True)
class Assembly:
    """What a configuration came to, all of it on its device.

    ``outputs`` gives the shape of a module's output for one image, where it is known.
    """

    config: RunConfig
    loaded: LoadedModel
    freezing: Freezing
    images: ImageRows
    device: torch.device
    outputs: dict[str, Shape]

    @property
    def model(self) -> nn.Module:
        """The network with its new head."""
        return self.loaded.module


def load_for(config: RunConfig, classes: int, *, read_weights: bool = True) -> LoadedModel:
    """The backbone a configuration asks for, its head made for this many classes.

    ``read_weights`` False: without its pretrained weights, for a checkpoint's tensors.

    Raises:
        ConfigError: there is no such backbone, or its weights cannot be had.
    """
    return load_model(config.model, classes, config.seed, read_weights=read_weights)


def preprocessing_for(config: RunConfig, loaded: LoadedModel) -> Preprocessing:
    """The weights' own preprocessing, at the configured size."""
    return loaded.preprocessing.at_size(config.data.image_size)


def images_for(config: RunConfig, source: ImageSource, preprocessing: Preprocessing) -> ImageRows:
    """The images of a source that a configuration uses, split into training and validation.

    Raises:
        ConfigError: a class would have no training image, or validation none at all.
    """
    return ImageRows.of(source, preprocessing, split_for(config, source))


def split_for(config: RunConfig, source: ImageSource) -> Split:
    """Which images of a source train and which validate.

    Raises:
        ConfigError: a class would have no training image, or validation none at all.
    """
    return make_split(
        source.labels,
        source.own_split,
        val_fraction=config.data.val_fraction,
        limit=config.data.limit,
        seed=config.seed,
        classes=source.classes,
    )


def build_freezing(loaded: LoadedModel, config: RunConfig) -> Freezing:
    """The freeze state that a run starts with, already applied.

    Raises:
        ConfigError: ``freeze.trainable`` or the schedule names a layer that the model does not have.
    """
    freezing = Freezing(loaded.module, loaded.head, loaded.stages, config.freeze.batchnorm)
    freezing.trainable = _resolve(freezing, config.freeze.trainable, "freeze.trainable")
    for number, entry in enumerate(config.schedule):
        _resolve(freezing, entry.paths or (), f"schedule[{number}].paths")
    freezing.apply()
    return freezing


def _resolve(freezing: Freezing, paths: tuple[str, ...], key: str) -> frozenset[str]:
    try:
        return freezing.resolve(paths)
    except CommandRefusedError as error:
        raise ConfigError(f"{key}: {error}") from None


def check_input(model: nn.Module, images: Tensor, name: str) -> dict[str, Shape]:
    """Run a batch [n, 3, H, W] through the model and return the shape of each module's output for one image.

    Raises:
        ConfigError: the model does not take images of this size.
    """
    shapes: dict[str, Shape] = {}
    handles = [module.register_forward_hook(_recorder(path, shapes)) for path, module in model.named_modules() if path]
    try:
        with eval_mode(model), torch.inference_mode():
            model(images)
    # What a model raises for a size it cannot take is its own affair; all of it means the same to the user.
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        size = images.shape[-1]
        detail = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigError(f"data.image_size = {size}: {name} does not take images of {size}x{size}: {detail}") from None
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _recorder(path: str, shapes: dict[str, Shape]):  # type: ignore[no-untyped-def]  # torch's hook has no public type
    def record(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            shapes[path] = tuple(output.shape[1:])

    return record
