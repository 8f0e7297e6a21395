"""A pretrained backbone with a new head: built, loaded, frozen, and only then given its head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from fxtui.config import ConfigError, ModelConfig
from fxtui.engine.backbones import lite0
from fxtui.engine.backbones.check import LITE0, check_model_name, is_weights_file
from fxtui.engine.backbones.heads import find_head, replace_head
from fxtui.engine.backbones.registry import (
    build_from_factory,
    build_torchvision,
    check_known,
    fetch,
    find_weights,
    preprocessing_of,
)
from fxtui.engine.backbones.stages import find_stages
from fxtui.engine.backbones.weights import load_weights_file
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.run.events import WeightsReport


@dataclass(frozen=True)
class LoadedModel:
    """A model on the CPU: everything frozen but its new head.

    ``head`` is the classification layer's module path, ``features`` the width it reads, ``stages`` the module paths of
    the backbone's stages in forward order.
    """

    name: str
    module: nn.Module
    head: str
    features: int
    stages: tuple[str, ...]
    preprocessing: Preprocessing
    weights: WeightsReport


def load_model(model: ModelConfig, classes: int, seed: int) -> LoadedModel:
    """Build a backbone, load its weights, freeze it, and give it a head for ``classes``.

    Random weights, the head's and those of ``weights = "none"``, depend on ``seed`` alone; the global random state is
    left as it was.

    Raises:
        ConfigError: there is no such backbone, or its weights cannot be had.
    """
    check_model_name(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module, preprocessing, report = _build(model)
    head = find_head(module, model.backbone)
    if is_weights_file(model.weights):
        report = load_weights_file(module, Path(model.weights).expanduser(), head)
    module.requires_grad_(False)
    stages = find_stages(module, head)
    features = replace_head(module, head, classes, seed)
    return LoadedModel(model.backbone, module, head, features, stages, preprocessing, report)


def _build(model: ModelConfig) -> tuple[nn.Module, Preprocessing, WeightsReport]:
    name, weights = model.backbone, model.weights
    from_file = is_weights_file(weights)
    if ":" in name:
        if weights not in ("default", "none") and not from_file:
            raise ConfigError(
                f"model.weights = '{weights}': a factory brings its own; expected default, none or a file"
            )
        module, preprocessing = build_from_factory(name)
        return module, preprocessing, _report("none" if weights == "none" else "the factory", len(module.state_dict()))
    check_known(name)
    if name == LITE0:
        if weights not in ("default", "none") and not from_file:
            raise ConfigError(f"model.weights = '{weights}': not of {name}; expected default, none or a file")
        network = lite0.build()
        if weights != "default":
            return network, lite0.PREPROCESSING, _report("none", len(network.state_dict()))
        count = lite0.load_weights(network)
        return network, lite0.PREPROCESSING, WeightsReport(source="ImageNet (embedded)", loaded=count, total=count)
    if from_file:
        module = build_torchvision(name, initialise=True)
        return module, preprocessing_of(find_weights(name, "default")), _report("none", 0)
    kind = find_weights(name, weights)
    if weights == "none":
        module = build_torchvision(name, initialise=True)
        return module, preprocessing_of(kind), _report("none", len(module.state_dict()))
    tensors = fetch(kind)
    module = build_torchvision(name, initialise=False)
    return module, preprocessing_of(kind), _load(module, tensors, kind.name)


def _load(module: nn.Module, tensors: dict[str, Tensor], source: str) -> WeightsReport:
    own = module.state_dict()
    # The files of GoogLeNet and Inception hold the auxiliary heads that are switched off here.
    fitting = {name: tensor for name, tensor in tensors.items() if name in own}
    module.load_state_dict(fitting, strict=False)
    counted = [name for name in own if not name.endswith("num_batches_tracked")]
    missing = tuple(name for name in counted if name not in fitting)
    unexpected = tuple(name for name in tensors if name not in own and not name.lower().startswith("aux"))
    return WeightsReport(
        source=source, loaded=len(counted) - len(missing), total=len(counted), missing=missing, unexpected=unexpected
    )


def _report(source: str, total: int) -> WeightsReport:
    return WeightsReport(source=source, loaded=0 if source == "none" else total, total=total)
