"""Backbones by name: torchvision's classification models, EfficientNet-Lite0, and factories of the user's own."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torchvision
from torch import nn
from torch.nn.parameter import is_lazy
from torchvision.models import WeightsEnum

from fxtui.config import ConfigError
from fxtui.engine.backbones.names import LITE0
from fxtui.engine.data.preprocess import Preprocessing

_IMAGENET = Preprocessing(256, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_WITH_AUXILIARY = ("googlenet", "inception_v3")


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


def build_torchvision(name: str, weights: WeightsEnum, initialise: bool) -> nn.Module:
    """A torchvision model as its ``weights`` want it, but without them; auxiliary heads are off.

    ``initialise`` False skips a slow random start where torchvision lets it be skipped.
    """
    options: dict[str, Any] = {}
    if name in _WITH_AUXILIARY:
        options = {"aux_logits": False, "init_weights": initialise, "transform_input": True}
    elif name.startswith("vgg"):
        options = {"init_weights": initialise}
    elif name.startswith("vit_"):
        # Its position embedding has one row for each patch, so it is made for one size of image.
        options = {"image_size": weights.meta["min_size"][0]}
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
    wanted = weights.removeprefix(f"{kinds.__name__}.")
    if wanted not in kinds.__members__:
        there = ", ".join(kind.name for kind in kinds)
        raise ConfigError(f"model.weights = '{weights}': not of {name}; there are {there}")
    return kinds[wanted]


def weight_names(name: str) -> tuple[str, ...]:
    """The names of the sets of weights that torchvision has for a backbone; none where it is not torchvision's."""
    if name not in torchvision.models.list_models(module=torchvision.models):
        return ()
    return tuple(kind.name for kind in torchvision.models.get_model_weights(name))


def preprocessing_of(weights: WeightsEnum) -> Preprocessing:
    """The preprocessing that a set of weights was trained for."""
    preset = weights.transforms()
    mean, std = tuple(map(float, preset.mean)), tuple(map(float, preset.std))
    return Preprocessing(preset.resize_size[0], preset.crop_size[0], mean, std, preset.interpolation.value)  # type: ignore[arg-type]


def build_from_factory(name: str) -> tuple[nn.Module, Preprocessing]:
    """Call ``package.module:factory``, found from the working directory as well.

    Raises:
        ConfigError: it cannot be imported or called, or returns no module.
    """
    where = f"model.backbone = '{name}'"
    module_name, _, attribute = name.partition(":")
    with _working_directory_importable():
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise ConfigError(f"{where}: no module named {error.name}") from None
        # Importing runs the user's code, which may fail in any way, or leave.
        except (Exception, SystemExit) as error:
            raise ConfigError(f"{where}: importing {module_name} failed: {_line(error)}") from error
        factory = _attribute(module, attribute, where)
        try:
            model = factory()
        # As above: the factory is the user's.
        except (Exception, SystemExit) as error:
            raise ConfigError(f"{where}: {attribute}() failed: {_line(error)}") from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{where}: {attribute}() returned {type(model).__name__}; expected a torch.nn.Module")
    if any(is_lazy(p) for p in model.parameters()):
        raise ConfigError(f"{where}: has lazy layers; run it once in the factory, so that their widths are known")
    return model.cpu().float().to(memory_format=torch.contiguous_format), _IMAGENET


def _attribute(module: ModuleType, path: str, where: str) -> Callable[[], Any]:
    found: Any = module
    for part in path.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, dir(found), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{where}: {module.__name__} has no {path}{hint}")
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(f"{where}: {path} cannot be called; expected a function that returns a module")
    called: Callable[[], Any] = found
    return called


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


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
