"""Every torchvision family: frozen, partly unfrozen and frozen again, on one and the same model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from fxtui.config import TrainConfig
from fxtui.engine.backbones.heads import find_head
from fxtui.engine.backbones.stages import find_stages
from fxtui.engine.features.feeds import Batch
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.frontier.cut import cut_model
from fxtui.engine.frontier.records import Cut
from fxtui.engine.optimization.optimizer import Optimization
from fxtui.engine.optimization.step import Stepper
from tests.engine.invariants import (
    check_freezing,
    check_minimal,
    check_modes,
    check_parts,
    check_still,
    snapshot,
)

Build = Callable[[], nn.Module]


def model(name: str, **options: object) -> Build:
    return partial(torchvision.models.get_model, name, weights=None, num_classes=5, **options)


def small_maxvit() -> nn.Module:
    return torchvision.models.MaxVit(
        input_size=(32, 32),
        stem_channels=8,
        partition_size=2,
        block_channels=[8, 16],
        block_layers=[1, 1],
        head_dim=8,
        stochastic_depth_prob=0.5,
        num_classes=5,
    )


def small_vit() -> nn.Module:
    return torchvision.models.VisionTransformer(
        image_size=32,
        patch_size=16,
        num_layers=3,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
        attention_dropout=0.1,
        num_classes=5,
    )


def narrow(name: str) -> nn.Module:
    """A model whose wide layers before the head are narrow: most of AlexNet's and VGG's weights are there."""
    with torch.device("meta"):
        made: nn.Module = torchvision.models.get_model(name, weights=None)
    inputs = {"alexnet": 256 * 6 * 6, "vgg11": 512 * 7 * 7}[name]
    places = [at for at, part in enumerate(made.classifier) if isinstance(part, nn.Linear)]
    for at, (wide, out) in zip(places, ((inputs, 16), (16, 16), (16, 5)), strict=True):
        made.classifier[at] = nn.Linear(wide, out)
    made = made.to_empty(device="cpu")
    for part in made.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            part.reset_parameters()
    return made


def small_resnet(**options: int) -> Build:
    return partial(torchvision.models.ResNet, Bottleneck, [1, 1, 1, 1], num_classes=5, **options)


NO_START = {"aux_logits": False, "init_weights": False}
# What trains first besides the head, the frontier with the head alone, the frontier with that part, pixels.
FAMILIES: dict[str, tuple[Build, str, list[str], list[str], int]] = {
    "alexnet": (partial(narrow, "alexnet"), "features.10", ["flatten"], ["features.9"], 64),
    "convnext": (model("convnext_tiny"), "features.7", ["classifier.1"], ["features.6"], 32),
    "densenet": (model("densenet121"), "features.norm5", ["flatten"], ["features.denseblock4"], 32),
    "efficientnet": (model("efficientnet_b0"), "features.8", ["flatten"], ["features.7"], 32),
    "efficientnetv2": (model("efficientnet_v2_s"), "features.7", ["flatten"], ["features.6"], 32),
    "googlenet": (
        model("googlenet", **NO_START),
        "inception5b.branch1",
        ["flatten"],
        ["inception5a", "inception5b.branch2", "inception5b.branch3", "inception5b.branch4"],
        32,
    ),
    "inception": (
        model("inception_v3", **NO_START),
        "Mixed_7c.branch1x1",
        ["avgpool"],
        ["Mixed_7b", "Mixed_7c.cat_12", "Mixed_7c.cat_13", "Mixed_7c.branch_pool"],
        75,
    ),
    "mnasnet": (model("mnasnet0_5"), "layers.14", ["mean"], ["layers.13"], 32),
    "mobilenetv2": (model("mobilenet_v2"), "features.18", ["flatten"], ["features.17"], 32),
    "mobilenetv3": (model("mobilenet_v3_small"), "features.12", ["classifier.1"], ["features.11"], 32),
    "regnet": (model("regnet_y_400mf"), "trunk_output.block4", ["flatten"], ["trunk_output.block3"], 32),
    "resnet": (model("resnet18"), "layer4", ["flatten"], ["layer3"], 32),
    "resnext": (small_resnet(groups=32, width_per_group=4), "layer4", ["flatten"], ["layer3"], 32),
    "wide_resnet": (small_resnet(width_per_group=128), "layer4", ["flatten"], ["layer3"], 32),
    "shufflenetv2": (model("shufflenet_v2_x0_5"), "conv5", ["mean"], ["stage4"], 32),
    "squeezenet": (model("squeezenet1_0"), "features.12", ["features"], ["features.11"], 32),
    "swin": (model("swin_t"), "features.7", ["flatten"], ["features.6"], 32),
    "swin_v2": (model("swin_v2_t"), "features.7.1", ["flatten"], ["features.7.0"], 32),
    "vgg": (partial(narrow, "vgg11"), "features.18", ["classifier.1"], ["features.17"], 32),
    "vit": (small_vit, "encoder.layers.encoder_layer_2", ["getitem_11"], ["encoder.layers.encoder_layer_1"], 32),
    "maxvit": (small_maxvit, "blocks.1", ["classifier.4"], ["blocks.0", "blocks.1.layers.0.layers.MBconv.proj.0"], 32),
}
LARGE = {
    "alexnet": (model("alexnet"), "features.10", ["flatten"], ["features.9"], 64),
    "vgg11": (model("vgg11", init_weights=False), "features.18", ["classifier.1"], ["features.17"], 32),
    "resnext50_32x4d": (model("resnext50_32x4d"), "layer4", ["flatten"], ["layer3"], 64),
    "wide_resnet50_2": (model("wide_resnet50_2"), "layer4", ["flatten"], ["layer3"], 64),
    "vit_b_16": (model("vit_b_16", image_size=32), "encoder.ln", ["getitem_29"], ["encoder.layers"], 32),
    "maxvit_t": (
        model("maxvit_t"),
        "blocks.3",
        ["classifier.4"],
        ["blocks.2", "blocks.3.layers.0.layers.MBconv.proj.0"],
        224,
    ),
}


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_freezes_thaws_and_freezes_again(family: str) -> None:
    freeze_thaw_freeze(*FAMILIES[family])


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_published_sizes_freeze_thaw_and_freeze_again(name: str) -> None:
    freeze_thaw_freeze(*LARGE[name])


def freeze_thaw_freeze(build: Build, part: str, alone: list[str], with_part: list[str], size: int) -> None:
    made = build()
    head = find_head(made, "")
    freezing = Freezing(made, head, find_stages(made, head))
    freezing.apply()
    config = TrainConfig(precision="fp32", optimizer="sgd", lr=0.01)
    optimization = Optimization(made, freezing, config, 100)
    stepper = Stepper(optimization, config, torch.device("cpu"), None, pytest.fail)
    images = torch.randn(5, 3, size, size)
    for step, (paths, expected) in enumerate((([], alone), ([part], with_part), ([], alone))):
        wanted = freezing.resolve(paths)
        if wanted != freezing.trainable:
            freezing.change_to(wanted)
            optimization.sync(step)
        cut = cut_model(made, head, images[:3])
        assert cut.note == ""
        assert [tensor.name for tensor in cut.tensors] == expected
        check_freezing(made, freezing, optimization)
        check_modes(made)
        check_parts(made, cut, images)
        check_minimal(cut, images[:3])
        before = snapshot(made)
        train(stepper, cut, images[:3], step)
        check_freezing(made, freezing, optimization)
        check_still(made, before)
        after = made.state_dict()
        trains = {name for name, parameter in made.named_parameters() if parameter.requires_grad}
        assert any(not torch.equal(after[name], before[name]) for name in trains)


def train(stepper: Stepper, cut: Cut, images: Tensor, step: int) -> None:
    with torch.no_grad():
        tensors = cut.prefix(images)
    batch = Batch(tuple(tensor.clone() for tensor in tensors), torch.tensor([0, 1, 2]))
    stepper.gather(cut.train, batch)
    stepper.update(step)
