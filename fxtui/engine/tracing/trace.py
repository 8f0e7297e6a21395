"""Tracing a model with torch.fx, without leaving a mark on it.

A trace bakes in the value of ``self.training`` wherever a forward passes it on, so a model is traced once for each
combination of modes it is used in. Source: https://docs.pytorch.org/docs/stable/fx.html
"""

from __future__ import annotations

import contextlib
import inspect
import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from fxtui.engine.random_state import RandomState, random_state, random_state_kept, same_state
from fxtui.engine.tracing.randomness import is_dropout


class UntraceableError(ValueError):
    """torch.fx cannot follow the model's forward; the message says where it gave up.

    ``inside`` is the class of the innermost module it gave up in, None for the model itself.
    """

    def __init__(self, message: str, inside: type[nn.Module] | None = None) -> None:
        super().__init__(message)
        self.inside = inside


class _DrawnError(Exception):
    pass


class _Tracer(fx.Tracer):
    def __init__(self, opaque: frozenset[type[nn.Module]], device: torch.device) -> None:
        super().__init__(autowrap_functions=())
        self._opaque = opaque
        self._device = device
        self.failed_in: nn.Module | None = None

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_dropout(m) or type(m) in self._opaque or super().is_leaf_module(m, module_qualified_name)

    def create_args_for_root(
        self,
        root_fn: Callable[..., Any],
        is_module: bool,  # noqa: ARG002
        concrete_args: dict[str, Any] | tuple[Any, ...] | None = None,  # noqa: ARG002
    ) -> tuple[Any, list[Any]]:
        """Hand over the image alone: every further argument of a forward has its default, as in a plain call."""
        own = list(inspect.signature(inspect.unwrap(root_fn)).parameters.values())[1:]
        name = own[0].name if own and own[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD else "images"
        return root_fn, [self.root, self.create_proxy("placeholder", name, (), {})]

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        before = random_state(self._device)
        try:
            value = super().call_module(m, forward, args, kwargs)
            _refuse_drawing(before, self._device)
        except Exception:
            self.failed_in = self.failed_in or m
            raise
        return value


def trace(model: nn.Module, opaque: frozenset[type[nn.Module]] = frozenset()) -> fx.GraphModule:
    """The model's forward in its present modes as a graph, on the model's own submodules and parameters.

    Modules of ``opaque`` classes are nodes of their own that the trace does not look into.

    Raises:
        UntraceableError: the forward depends on values that a trace does not have.
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    tracer = _Tracer(opaque, device)
    with _attributes_kept(model), random_state_kept(device):
        before = random_state(device)
        try:
            graph = tracer.trace(model)
            _refuse_drawing(before, device)
            return fx.GraphModule(model, graph)
        # A user's forward may raise anything at all when it is handed a proxy; every such case means the same here.
        except Exception as error:
            where = tracer.failed_in
            name = type(where or model).__name__
            raise UntraceableError(f"{name}: {_first_line(error)}", None if where is None else type(where)) from error


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


@contextlib.contextmanager
def _attributes_kept(model: nn.Module) -> Iterator[None]:
    """Put back what a forward stores on its modules, in their containers too, so that no proxy of the trace stays."""
    before = [(vars(module), dict(vars(module))) for module in model.modules()]
    held = [(value, value.copy()) for _, attributes in before for value in attributes.values() if _is_container(value)]
    try:
        yield
    finally:
        for container, content in [*held, *before]:
            container.clear()
            container.extend(content) if isinstance(container, list) else container.update(content)


def _is_container(value: object) -> bool:
    return isinstance(value, dict | list | set)


def _refuse_drawing(before: RandomState, device: torch.device) -> None:
    """A number drawn while tracing would stay the same for ever after, e.g. whether a layer is left out."""
    if not same_state(before, random_state(device)):
        raise _DrawnError("it draws random numbers that a trace would keep")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]


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
