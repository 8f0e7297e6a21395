"""A pretrained backbone with a new head: built, loaded, frozen, and only then given its head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from msgspec import structs
from torch import nn

from fxtui.config import ConfigError, ModelConfig
from fxtui.engine.backbones import lite0
from fxtui.engine.backbones.download import published_file, published_path
from fxtui.engine.backbones.heads import find_head, replace_head
from fxtui.engine.backbones.names import LITE0, check_model_name, is_weights_file
from fxtui.engine.backbones.registry import (
    build_from_factory,
    build_torchvision,
    check_known,
    find_weights,
    preprocessing_of,
)
from fxtui.engine.backbones.stages import find_stages
from fxtui.engine.backbones.weights import load_weights_file
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.machine.directories import expanded
from fxtui.protocol.events import WeightsReport
from fxtui.run.preview import WeightsPlace


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


def load_model(model: ModelConfig, classes: int, seed: int, *, read_weights: bool = True) -> LoadedModel:
    """Build a backbone, load its weights, freeze it, and give it a head for ``classes``.

    Random weights, the head's and those of ``weights = "none"``, depend on ``seed`` alone; the global random state is
    left as it was. ``read_weights`` False builds the same network without reading a file, for a checkpoint's tensors.

    Raises:
        ConfigError: there is no such backbone, or its weights cannot be had.
    """
    if read_weights:
        check_model_name(model)
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed the accelerators as well.
        torch.default_generator.manual_seed(seed)
        backbone = _build(model)
    module = backbone.module
    head = find_head(module, model.backbone)
    report = WeightsReport(source=backbone.source, loaded=0, total=_count(module, head))
    if backbone.source != "none" and backbone.file is None:
        report = structs.replace(report, loaded=report.total)
    if read_weights and backbone.file is not None:
        file = backbone.file()
        report = load_weights_file(module, file, head, model.backbone, model.weights, backbone.source)
    module.requires_grad_(False)
    stages = find_stages(module, head)
    features = replace_head(module, head, classes, seed)
    return LoadedModel(model.backbone, module, head, features, stages, backbone.preprocessing, report)


def weights_place(model: ModelConfig) -> WeightsPlace:
    """Where the weights come from when a run starts. The file is not read.

    Raises:
        ConfigError: there is no such set of weights.
    """
    if is_weights_file(model.weights):
        return "here"
    if model.weights == "none":
        return "random"
    if ":" in model.backbone:
        return "unknown"
    if model.backbone == LITE0:
        return "here"
    url = str(find_weights(model.backbone, model.weights).url)
    return "here" if published_path(url).is_file() else "download"


@dataclass(frozen=True)
class _Backbone:
    """A model with its first head. ``file`` finds the file of its weights; None: it has the weights it will have."""

    module: nn.Module
    preprocessing: Preprocessing
    source: str
    file: Callable[[], Path] | None = None


def _build(model: ModelConfig) -> _Backbone:
    name, weights = model.backbone, model.weights
    from_file = is_weights_file(weights)
    own: Callable[[], Path] | None = (lambda: expanded(weights)) if from_file else None
    source = weights if from_file else "none"
    if ":" in name:
        if weights not in ("default", "none") and not from_file:
            raise ConfigError(
                f"model.weights = '{weights}': a factory brings its own; expected default, none or a file"
            )
        module, preprocessing = build_from_factory(name)
        return _Backbone(module, preprocessing, "the factory" if weights == "default" else source, own)
    check_known(name)
    if name == LITE0:
        if weights not in ("default", "none") and not from_file:
            raise ConfigError(f"model.weights = '{weights}': not of {name}; expected default, none or a file")
        if weights == "default":
            return _Backbone(lite0.build(), lite0.PREPROCESSING, "ImageNet (embedded)", lite0.weights_file)
        return _Backbone(lite0.build(), lite0.PREPROCESSING, source, own)
    kind = find_weights(name, "default" if from_file else weights)
    preprocessing = preprocessing_of(kind)
    if from_file or weights == "none":
        return _Backbone(build_torchvision(name, kind, initialise=True), preprocessing, source, own)
    network = build_torchvision(name, kind, initialise=False)
    return _Backbone(network, preprocessing, kind.name, lambda: published_file(str(kind.url), weights))


def _count(module: nn.Module, head: str) -> int:
    return sum(not name.startswith(head + ".") for name in module.state_dict())
