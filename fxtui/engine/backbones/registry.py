"""Backbones by name: torchvision's classification models, EfficientNet-Lite0, and factories of the user's own."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models import WeightsEnum

from fxtui.config import ConfigError
from fxtui.engine.backbones.check import LITE0
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.engine.network import short_timeout

_IMAGENET = Preprocessing(256, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_WITH_AUXILIARY = ("googlenet", "inception_v3")


def is_torchvision(name: str) -> bool:
    """Whether a backbone is one of torchvision's classification models."""
    return name in torchvision.models.list_models(module=torchvision.models)


def check_known(name: str) -> None:
    """Refuse a name that means no backbone.

    Raises:
        ConfigError: with the nearest name that does.
    """
    known = [*torchvision.models.list_models(module=torchvision.models), LITE0]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = (
            f"did you mean {close[0]}?"
            if close
            else "expected a torchvision classification model or package.module:factory"
        )
        raise ConfigError(f"model.backbone = '{name}': unknown backbone; {hint}")


def build_torchvision(name: str, initialise: bool) -> nn.Module:
    """A torchvision model without weights, auxiliary heads off; ``initialise`` False skips a slow random start."""
    options: dict[str, Any] = {}
    if name in _WITH_AUXILIARY:
        options = {"aux_logits": False, "init_weights": initialise, "transform_input": True}
    model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return model


def find_weights(name: str, weights: str) -> WeightsEnum:
    """The set of weights that ``default`` or a name means for a torchvision model.

    Raises:
        ConfigError: there is none of that name; those there are are listed.
    """
    kinds = torchvision.models.get_model_weights(name)
    if weights in ("default", "none"):
        return kinds.DEFAULT
    wanted = weights.rpartition(".")[2]
    if wanted not in kinds.__members__:
        raise ConfigError(f"model.weights = '{weights}': not of {name}; there are {', '.join(kinds.__members__)}")
    return kinds[wanted]


def preprocessing_of(weights: WeightsEnum) -> Preprocessing:
    """The preprocessing that a set of weights was trained for."""
    preset = weights.transforms()
    mean, std = tuple(map(float, preset.mean)), tuple(map(float, preset.std))
    return Preprocessing(preset.resize_size[0], preset.crop_size[0], mean, std, preset.interpolation.value)  # type: ignore[arg-type]


def fetch(weights: WeightsEnum) -> dict[str, torch.Tensor]:
    """The tensors of a set of weights: from torch's directory, downloaded first where they are not there.

    Raises:
        ConfigError: they are not there and cannot be downloaded, or the file is damaged.
    """
    url = str(weights.url)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / url.rpartition("/")[2]
    try:
        with short_timeout():
            tensors: dict[str, torch.Tensor] = weights.get_state_dict(
                progress=False, check_hash=True, weights_only=True
            )
            return tensors
    except OSError as error:
        reason = str(getattr(error, "reason", error)).splitlines()[0]
        raise ConfigError(
            f"model.weights = '{weights.name}': not in {folder} and could not be downloaded ({reason}); "
            f"fetch {url} on a machine with a network and copy it to {path}"
        ) from None
    except RuntimeError as error:
        raise ConfigError(
            f"model.weights = '{weights.name}': {path} is damaged: {str(error).splitlines()[0]}"
        ) from None


def build_from_factory(name: str) -> tuple[nn.Module, Preprocessing]:
    """Call ``package.module:factory``, found from the working directory as well.

    Raises:
        ConfigError: it cannot be imported or called, or returns no module.
    """
    where = f"model.backbone = '{name}'"
    module_name, _, attribute = name.partition(":")
    with _working_directory_importable():
        try:
            factory: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                factory = getattr(factory, part)
        except ModuleNotFoundError as error:
            raise ConfigError(f"{where}: no module named {error.name}") from None
        except AttributeError:
            raise ConfigError(f"{where}: {module_name} has no {attribute}") from None
        # Importing runs the user's code, which may fail in any way.
        except Exception as error:
            raise ConfigError(f"{where}: importing {module_name} failed: {type(error).__name__}: {error}") from error
        if not callable(factory):
            raise ConfigError(f"{where}: {attribute} cannot be called; expected a function that returns a module")
        try:
            model = factory()
        # As above: the factory is the user's.
        except Exception as error:
            raise ConfigError(f"{where}: {attribute}() failed: {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{where}: {attribute}() returned {type(model).__name__}; expected a torch.nn.Module")
    return model.cpu().float(), _IMAGENET


@contextlib.contextmanager
def _working_directory_importable() -> Iterator[None]:
    here = str(Path.cwd())
    if here in sys.path:
        yield
        return
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
