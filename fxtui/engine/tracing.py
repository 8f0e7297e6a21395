"""Tracing a model with torch.fx, without leaving a mark on it.

A trace bakes in the value of ``self.training`` wherever a forward passes it on, so a model is traced once for each
combination of modes it is used in. Source: https://docs.pytorch.org/docs/stable/fx.html
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

from fxtui.engine.freezing import BatchNorm


class UntraceableError(ValueError):
    """torch.fx cannot follow the model's forward; the message says where it gave up."""


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, StochasticDepth) or super().is_leaf_module(m, module_qualified_name)


def trace(model: nn.Module) -> fx.GraphModule:
    """The model's forward in its present modes as a graph, on the model's own submodules and parameters.

    Raises:
        UntraceableError: the forward depends on values that a trace does not have.
    """
    tracer = _Tracer(autowrap_functions=())
    with _attributes_kept(model):
        try:
            return fx.GraphModule(model, tracer.trace(model))
        # A user's forward may raise anything at all when it is handed a proxy; every such case means the same here.
        except Exception as error:
            raise UntraceableError(f"{type(model).__name__}: {_first_line(error)}") from error


@contextlib.contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """All modules in eval mode inside, each back in its own afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, mode in modes:
            module.training = mode


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
    if name in _ARGUMENTS:
        arguments.update(zip(_ARGUMENTS[name], node.args, strict=False))
    if name == "batch_norm":
        return bool(arguments.get("training", False))
    if name == "rrelu":
        return bool(arguments.get("training", False))
    rates = [arguments[key] for key in ("p", "dropout_p", "dropout", "attention_dropout") if key in arguments]
    if name == "scaled_dot_product_attention":
        return any(rates)
    if "dropout" in name:
        return bool(arguments.get("training", True)) and any(rates or [0.5])
    return bool(arguments.get("training", False)) and any(rates)


def is_mutation(node: fx.Node, model: nn.Module) -> bool:
    """Whether a node writes into one of its inputs."""
    if node.op == "call_module":
        return bool(getattr(model.get_submodule(str(node.target)), "inplace", False))
    if node.op == "call_method":
        name = str(node.target)
        return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
    if node.op == "call_function":
        return node.target in _MUTATING or bool(node.kwargs.get("inplace")) or node.kwargs.get("out") is not None
    return False


def module_is_stochastic(module: nn.Module) -> bool:
    """Whether a module, or one inside it, is random or moves its statistics in its present mode."""
    for part in module.modules():
        if not part.training:
            continue
        if isinstance(part, BatchNorm) or (
            isinstance(part, nn.modules.instancenorm._InstanceNorm) and part.track_running_stats
        ):
            return True
        if isinstance(part, nn.modules.dropout._DropoutNd | StochasticDepth) and part.p > 0:
            return True
        if isinstance(part, nn.RReLU):
            return True
        if isinstance(part, nn.MultiheadAttention | nn.RNNBase) and part.dropout > 0:
            return True
    return False


@contextlib.contextmanager
def _attributes_kept(model: nn.Module) -> Iterator[None]:
    """Put back what a forward stores on its modules, so that no proxy of the trace stays there."""
    before = [(module, dict(vars(module))) for module in model.modules()]
    try:
        yield
    finally:
        for module, attributes in before:
            module.__dict__.clear()
            module.__dict__.update(attributes)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]


_RANDOM_FUNCTIONS: frozenset[Any] = frozenset(
    {torch.bernoulli, torch.rand, torch.randn, torch.rand_like, torch.randn_like, torch.randint, torch.randperm}
)
_RANDOM_METHODS = frozenset({"bernoulli", "bernoulli_", "uniform_", "normal_", "random_", "exponential_"})
_MUTATING: frozenset[Any] = frozenset(
    {
        operator.iadd,
        operator.isub,
        operator.imul,
        operator.itruediv,
        operator.iand,
        operator.ior,
        operator.setitem,
        F.relu_,
    }
)
# The positional arguments of functions whose mode or rate may be given without a name.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
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
