"""Which parts of a model are random in their present modes.

What can be read off a module or a call is read off; what cannot, such as a user's own noise, shows in the random state:
whoever draws a number moves it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn
from torchvision.ops import StochasticDepth

from fxtui.engine.freezing.modes import BatchNorm


def is_stochastic(node: fx.Node, model: nn.Module) -> bool:
    """Whether a node gives other results for the same input, or changes its own statistics, in its present mode."""
    if node.op == "call_module":
        return module_is_stochastic(model.get_submodule(str(node.target)))
    if node.op == "call_method":
        return node.target in _RANDOM_METHODS
    if node.op != "call_function":
        return False
    if node.target in _RANDOM_FUNCTIONS:
        return True
    name = getattr(node.target, "__name__", "")
    arguments = dict(node.kwargs)
    if name in POSITIONAL:
        arguments.update(zip(POSITIONAL[name], node.args, strict=False))
    if name in ("batch_norm", "rrelu"):
        return bool(arguments.get("training", False))
    rates = [arguments[key] for key in ("p", "dropout_p", "dropout", "attention_dropout") if key in arguments]
    if name == "scaled_dot_product_attention":
        return any(rates)
    if "dropout" in name:
        return bool(arguments.get("training", True)) and any(rates or [0.5])
    return bool(arguments.get("training", False)) and any(rates)


def module_is_stochastic(module: nn.Module) -> bool:
    """Whether a module, or one inside it, is random or moves its statistics in its present mode."""
    return any(_is_stochastic_itself(part) for part in module.modules() if part.training)


def is_dropout(module: nn.Module) -> bool:
    """Whether a module is of a dropout's kind: without parameters, its class named so, e.g. timm's DropPath."""
    named = "drop" in type(module).__name__.lower() and not any(True for _ in module.parameters())
    return named or isinstance(module, StochasticDepth)


def _is_stochastic_itself(module: nn.Module) -> bool:
    if isinstance(module, BatchNorm):
        return True
    if isinstance(module, nn.modules.instancenorm._InstanceNorm):
        return module.track_running_stats
    if isinstance(module, nn.modules.dropout._DropoutNd | StochasticDepth):
        return module.p > 0
    if isinstance(module, nn.RReLU):
        return True
    if isinstance(module, nn.MultiheadAttention | nn.RNNBase):
        return module.dropout > 0
    return is_dropout(module) and _rate(module) != 0


def _rate(module: nn.Module) -> float | None:
    """The rate of a user's dropout, under one of the names that are usual for it; None if it has none of them."""
    rates = [getattr(module, name, None) for name in _RATES]
    return next((float(rate) for rate in rates if isinstance(rate, int | float)), None)


_RATES = ("p", "drop_prob", "drop_rate", "prob", "rate")
_RANDOM_FUNCTIONS: frozenset[Any] = frozenset(
    {torch.bernoulli, torch.rand, torch.randn, torch.rand_like, torch.randn_like, torch.randint, torch.randperm}
)


_RANDOM_METHODS = frozenset({"bernoulli", "bernoulli_", "uniform_", "normal_", "random_", "exponential_"})
# The positional arguments of functions whose mode or rate may be given without a name.
POSITIONAL: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"),
        ("input", "p", "training"),
    ),
    "rrelu": ("input", "lower", "upper", "training"),
    "stochastic_depth": ("input", "p", "mode", "training"),
    "drop_path": ("input", "p", "training"),
    "batch_norm": ("input", "running_mean", "running_var", "weight", "bias", "training"),
    "scaled_dot_product_attention": ("query", "key", "value", "attn_mask", "dropout_p"),
}
