"""Studying a traced graph: what its nodes are for batches of two and of three images, and which compute the same."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, fx, nn

from fxtui.engine.random_state import random_state, random_state_kept, same_state
from fxtui.engine.tracing.randomness import POSITIONAL
from fxtui.engine.tracing.trace import is_mutation


class CutRefusedError(ValueError):
    """The model cannot be cut here; the message names the node and the reason."""


@dataclass(slots=True)
class GraphFacts:
    """What the nodes of a graph turned out to be for batches of two and of three images, by node name.

    ``shapes`` holds a pair of shapes for every tensor, ``numbers`` a pair of values for everything that is no tensor,
    ``constants`` the values of tensors that depend on parameters only; ``drawing`` names nodes that drew random
    numbers.
    """

    shapes: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)
    orders: dict[str, tuple[int, ...]] = field(default_factory=dict)
    numbers: dict[str, list[Any]] = field(default_factory=dict)
    image_tensors: set[str] = field(default_factory=set)
    constants: dict[str, Tensor] = field(default_factory=dict)
    drawing: set[str] = field(default_factory=set)

    def depends_on_images(self, node: fx.Node) -> bool:
        """Whether the node is a tensor computed from pixels, not merely a shape or number taken from one."""
        return node.name in self.image_tensors

    def shape_of(self, node: fx.Node, run: int) -> tuple[int, ...] | None:
        """The shape for two images (run 0) or three (run 1); None for what is not a tensor."""
        shapes = self.shapes.get(node.name)
        return shapes[run] if shapes else None

    def order_of(self, node: fx.Node) -> tuple[int, ...]:
        """The dimensions from the outermost to the innermost in memory."""
        return self.orders[node.name]


class _Recorder(fx.Interpreter):
    def __init__(self, traced: fx.GraphModule, facts: GraphFacts, live: frozenset[str], device: torch.device) -> None:
        super().__init__(traced)
        self._facts = facts
        self._live = live
        self._device = device
        self._from_parameters: set[str] = set()

    def run_node(self, n: fx.Node) -> Any:
        if n.name in self._live:
            return None
        before = random_state(self._device)
        value = super().run_node(n)
        if not same_state(before, random_state(self._device)):
            self._facts.drawing.add(n.name)
        facts, sources = self._facts, n.all_input_nodes
        if _holds_tensor(value):
            tainted = n.op == "placeholder" or any(facts.depends_on_images(source) for source in sources)
            if tainted:
                facts.image_tensors.add(n.name)
            elif n.op == "get_attr" or all(source.name in self._from_parameters for source in sources):
                self._from_parameters.add(n.name)
                if n.op != "get_attr" and isinstance(value, Tensor):
                    facts.constants[n.name] = value.detach().clone()
        else:
            facts.numbers.setdefault(n.name, []).append(value)
        if isinstance(value, Tensor):
            facts.shapes.setdefault(n.name, []).append(tuple(value.shape))
            strides = value.stride()
            facts.orders[n.name] = tuple(sorted(range(value.dim()), key=lambda d: (-strides[d], d)))
        return value


def study(traced: fx.GraphModule, images: Tensor, live: frozenset[str] = frozenset()) -> GraphFacts:
    """Run a graph on two and on three of the images, all nodes but the live ones and what reads them."""
    facts = GraphFacts()
    with torch.no_grad(), random_state_kept(images.device):
        for count in (2, 3):
            _Recorder(traced, facts, live, images.device).run(images[:count])
    return facts


def counterparts(one: fx.GraphModule, other: fx.GraphModule) -> dict[str, fx.Node]:
    """The nodes of the other graph that compute the same from the image, by the name of the node in the first.

    Names alone say nothing: traced in other modes, the same ``mul_3`` may be another product.
    """
    table: dict[Hashable, int] = {}
    there = {key: node for node, key in reversed(_keys(other, table).items())}
    return {node.name: there[key] for node, key in _keys(one, table).items() if key in there}


def _keys(traced: fx.GraphModule, table: dict[Hashable, int]) -> dict[fx.Node, int]:
    """A number for every node that stands for what it computes, and from what; ``table`` is shared between graphs."""
    keys: dict[fx.Node, int] = {}
    writes: dict[fx.Node, int] = {}

    def plain(value: Any) -> Hashable:
        if isinstance(value, fx.Node):
            return ("node", keys[value], writes.get(value, 0))
        if isinstance(value, tuple | list):
            return ("sequence", *map(plain, value))
        if isinstance(value, dict):
            return ("mapping", *((name, plain(held)) for name, held in value.items()))
        if isinstance(value, slice):
            return ("slice", plain(value.start), plain(value.stop), plain(value.step))
        return (type(value).__name__, value if isinstance(value, Hashable) else id(value))

    for node in traced.graph.nodes:
        args, kwargs = _without_mode(node)
        key = (node.op, _identity(node, traced), plain(args), plain(kwargs))
        keys[node] = table.setdefault(key, len(table))
        if is_mutation(node, traced):
            for source in node.all_input_nodes:
                writes[source] = writes.get(source, 0) + 1
    return keys


def _identity(node: fx.Node, traced: fx.GraphModule) -> Hashable:
    """What a node calls or reads, by something that is the same in every trace."""
    if node.op == "placeholder":
        return ""
    if node.op == "get_attr" and str(node.target).startswith("_tensor_constant"):
        value = attribute_of(traced, str(node.target))
        return (
            value.dtype,
            value.shape,
            value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes(),
        )
    return node.target if isinstance(node.target, Hashable) else id(node.target)


def _without_mode(node: fx.Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A call's arguments but for the mode, which makes no difference to a node that is the same in both."""
    names = POSITIONAL.get(getattr(node.target, "__name__", ""), ())
    args = tuple(None if name == "training" else arg for name, arg in zip_longest(names, node.args))
    args = args[: len(node.args)]
    return args, {name: value for name, value in node.kwargs.items() if name != "training"}


def attribute_of(model: nn.Module, target: str) -> Any:
    value: Any = model
    for part in target.split("."):
        value = getattr(value, part)
    return value


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, Tensor):
        return True
    return isinstance(value, tuple | list) and not isinstance(value, torch.Size) and any(map(_holds_tensor, value))
