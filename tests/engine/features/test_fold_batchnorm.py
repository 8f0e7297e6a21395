"""Folding BatchNorm: everything that may be folded is, and what changes its own weights is left."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from fxtui.config import ModelConfig
from fxtui.engine.backbones.load import load_model
from fxtui.engine.features.fold_batchnorm import fold_batchnorm
from fxtui.engine.tracing.trace import trace


class EvenlyPadded(nn.Conv2d):
    """Pads by itself."""

    def forward(self, input: Tensor) -> Tensor:
        padded = F.pad(input, (0, 1, 0, 1))
        return F.conv2d(padded, self.weight, bias=self.bias, stride=self.stride, groups=self.groups)


class Standardised(nn.Conv2d):
    """Weight standardisation (Qiao et al. 2019): whatever scale its weights have, it is taken out again."""

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight
        weight = (weight - weight.mean((1, 2, 3), keepdim=True)) / weight.std((1, 2, 3), keepdim=True)
        return F.conv2d(input, weight, self.bias, self.stride, self.padding)


class NormAndActivation(nn.BatchNorm2d):
    """A BatchNorm that does more than its name says."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).relu()


class Leaves(fx.Tracer):
    """Goes into everything but torch's own modules and that BatchNorm, as a tracer for timm would."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, NormAndActivation) or super().is_leaf_module(m, module_qualified_name)


def hooked(convolution: nn.Conv2d) -> nn.Conv2d:
    """Makes its weight anew before every call, as the old weight norm does."""
    convolution.register_forward_pre_hook(
        lambda module, _: module.weight.data.copy_(torch.full_like(module.weight, 0.1))
    )
    return convolution


def norms_left(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


class Twice(nn.Module):
    """One convolution before two BatchNorms: neither can have it."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.first, self.second = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.first(self.convolution(x)) + self.second(self.convolution(x + 1))


def settled(*layers: nn.Module) -> nn.Module:
    """These layers in a row, with statistics that are not trivial."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(*layers).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.running_mean, layer.running_var, layer.weight.data, layer.bias.data):
                assert tensor is not None
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return model


CASES = {
    "plain": (lambda: (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), 0),
    "own padding": (lambda: (EvenlyPadded(3, 4, 3, stride=2), nn.BatchNorm2d(4)), 0),
    "own padding, grouped, no bias": (lambda: (EvenlyPadded(3, 6, 3, groups=3, bias=False), nn.BatchNorm2d(6)), 0),
    "one convolution called twice": (lambda: (Twice(),), 2),
    "standardised": (lambda: (Standardised(3, 4, 3), nn.BatchNorm2d(4)), 1),
    "activation in the norm": (lambda: (nn.Conv2d(3, 4, 3), NormAndActivation(4)), 1),
    "weight norm": (lambda: (parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4)), 1),
    "weight made before each call": (lambda: (hooked(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4)), 1),
}


@pytest.mark.parametrize("case", CASES)
def test_folding_changes_nothing_whatever_the_convolution(case: str) -> None:
    layers, left = CASES[case]
    model = settled(*layers())
    images = torch.randn((2, 3, 17, 16), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = model(images)
    folded = fold_batchnorm(fx.GraphModule(model, Leaves().trace(model)))
    with torch.inference_mode():
        torch.testing.assert_close(folded(images), expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(model(images), expected)
    assert norms_left(folded) == left


def test_every_batchnorm_of_efficientnet_lite0_is_folded() -> None:
    model = load_model(ModelConfig(), 10, 0).module.eval()
    folded = fold_batchnorm(trace(model))
    assert norms_left(model) == 49
    assert norms_left(folded) == 0
    for size in (64, 65):
        images = torch.randn((2, 3, size, size), generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            torch.testing.assert_close(folded(images), model(images), rtol=1e-3, atol=1e-3)
