"""What lies between two frontiers of one model."""

from __future__ import annotations

from torch import fx

from fxtui.engine.frontier.parts import build_suffix
from fxtui.engine.frontier.records import Cut
from fxtui.engine.frontier.study import CutRefusedError


def bridge(start: Cut, end: Cut) -> fx.GraphModule | None:
    """The part of the model between two frontiers: tensors of ``start`` -> tuple of tensors of ``end``.

    None if the second cannot be computed from the first, or where a cut was made without a graph.
    """
    if start.source is None or end.source is None:
        return None
    names = list(start.source.nodes)
    if not set(names) <= {node.name for node in end.source.traced.graph.nodes}:
        return None
    try:
        return build_suffix(end.source.traced, names, start.tensors[0].rows, end.source.facts, list(end.source.nodes))
    except CutRefusedError:
        return None
