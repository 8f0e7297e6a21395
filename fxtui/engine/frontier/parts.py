"""Studying a traced graph, and building its two parts around a frontier."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, fx, nn

from fxtui.engine.frontier.study import CutRefusedError, GraphFacts, attribute_of
from fxtui.engine.tracing.trace import is_mutation


def build_prefix(traced: fx.GraphModule, frontier: list[str], live: frozenset[str]) -> fx.GraphModule:
    """The part of a graph that computes the frontier: images -> tuple of tensors.

    What writes into a tensor of this part belongs to it, but for the nodes named in ``live``: an in-place dropout right
    behind the frontier is the suffix's.
    """
    graph = traced.graph
    nodes = {node.name: node for node in graph.nodes}
    needed = ancestors([nodes[name] for name in frontier])
    for node in graph.nodes:
        frozen = node.name not in live and is_mutation(node, traced)
        if frozen and all(source in needed for source in node.all_input_nodes):
            needed.add(node)
    new = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node in needed:
            copies[node] = new.node_copy(node, lambda source: copies[source])
    new.output(tuple(copies[nodes[name]] for name in frontier))
    return fx.GraphModule(_targets(traced, new, {}), new, class_name="Prefix")


def build_suffix(
    traced: fx.GraphModule, frontier: list[str], rows: int, facts: GraphFacts, outputs: list[str] | None = None
) -> fx.GraphModule:
    """The part of a graph behind the frontier: frontier tensors -> logits, or -> the tuple of ``outputs``.

    ``rows`` is the number of entries an image has along the first dimension of the first frontier tensor. Shapes and
    numbers of the part that is cut off are computed from the batch at hand, so no batch size is baked in.
    """
    graph = traced.graph
    nodes = {node.name: node for node in graph.nodes}
    cut_off = ancestors([nodes[name] for name in frontier])
    new = fx.Graph()
    copies = {nodes[name]: new.placeholder(name) for name in frontier}
    constants: dict[str, Tensor] = {}
    count: list[fx.Node] = []

    def batch_size() -> fx.Node:
        if not count:
            first = copies[nodes[frontier[0]]]
            size = new.call_method("size", (first, 0))
            count.append(new.call_function(operator.floordiv, (size, rows)) if rows > 1 else size)
        return count[0]

    ends = [node for node in graph.nodes if node.op == "output"] if outputs is None else [nodes[n] for n in outputs]
    needed = ancestors(ends, stop=set(copies))
    for node in graph.nodes if outputs is None else ():
        if node in copies or node in needed:
            continue
        live = any((source in needed and source not in cut_off) or source in copies for source in node.all_input_nodes)
        if live and is_mutation(node, traced) and node not in cut_off:
            needed.add(node)
    for node in graph.nodes:
        if node in copies or node not in needed:
            continue
        if node.name in facts.numbers and any(source not in copies for source in node.all_input_nodes):
            copies[node] = _number(new, facts.numbers[node.name], batch_size)
        elif node.name in facts.constants and node.name not in facts.image_tensors and not _trains(traced, node):
            constants[f"_constant_{node.name}"] = facts.constants[node.name]
            copies[node] = new.get_attr(f"_constant_{node.name}")
        elif missing := [source for source in node.all_input_nodes if source not in copies]:
            if node not in cut_off:
                raise CutRefusedError(f"{node.name} reads {missing[0].name}, which is no part of the frontier")
        elif node.op != "placeholder":
            copies[node] = new.node_copy(node, lambda source: copies[source])
    if outputs is not None:
        if missing := [end.name for end in ends if end not in copies]:
            raise CutRefusedError(f"{missing[0]} cannot be computed from here")
        new.output(tuple(copies[end] for end in ends))
    new.eliminate_dead_code(lambda node: node.op in ("placeholder", "output") or is_mutation(node, traced))
    new.lint()
    return fx.GraphModule(_targets(traced, new, constants), new, class_name="Suffix")


def ancestors(nodes: Iterable[fx.Node], stop: set[fx.Node] | None = None) -> set[fx.Node]:
    """The nodes themselves and all that they are computed from, but for those of ``stop``."""
    stop = stop or set()
    found: set[fx.Node] = set()
    waiting = [node for node in nodes if node not in stop]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(source for source in node.all_input_nodes if source not in stop)
    return found


def _trains(model: nn.Module, node: fx.Node) -> bool:
    """Whether a tensor computed from parameters comes from one that trains."""
    for source in ancestors([node]):
        if source.op == "get_attr" and attribute_of(model, str(source.target)).requires_grad:
            return True
        if source.op == "call_module" and any(
            parameter.requires_grad for parameter in model.get_submodule(str(source.target)).parameters()
        ):
            return True
    return False


def _number(new: fx.Graph, values: list[Any], batch_size: Callable[[], fx.Node]) -> Any:
    """A value, seen for two and three images, as a linear function of the batch size."""
    two, three = values
    if isinstance(two, int) and not isinstance(two, bool) and two != three:
        slope = three - two
        scaled: Any = batch_size() if slope == 1 else new.call_function(operator.mul, (batch_size(), slope))
        offset = two - 2 * slope
        return scaled if not offset else new.call_function(operator.add, (scaled, offset))
    if isinstance(two, tuple | list):
        return tuple(_number(new, list(pair), batch_size) for pair in zip(two, three, strict=True))
    if two != three:
        raise CutRefusedError(f"a value changes with the batch, from {two!r} to {three!r}")
    return two


def _targets(model: nn.Module, graph: fx.Graph, constants: dict[str, Tensor]) -> dict[str, Any]:
    targets: dict[str, Any] = dict(constants)
    for node in graph.nodes:
        target = str(node.target)
        if node.op == "call_module":
            targets[target] = model.get_submodule(target)
        elif node.op == "get_attr" and target not in constants:
            targets[target] = attribute_of(model, target)
    return targets
