"""Cutting a model at the frontier of its frozen part.

The frontier is the set of image-dependent tensors that trainable (or otherwise live) computation reads. Everything
before it is computed once per image and kept; everything behind it runs in every batch. Training the head alone is the
special case in which the frontier is the feature vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from fxtui.engine.frontier.parts import (
    CutRefusedError,
    GraphFacts,
    ancestors,
    build_prefix,
    build_suffix,
    counterparts,
    study,
)
from fxtui.engine.tracing.randomness import (
    is_stochastic,
    module_is_stochastic,
    random_state,
    random_state_kept,
    same_state,
)
from fxtui.engine.tracing.trace import UntraceableError, eval_mode, is_mutation, trace

_TOLERANCE = 1e-5
Opaque = frozenset[type[nn.Module]]


@dataclass(frozen=True, slots=True)
class FrontierTensor:
    """One tensor of the frontier.

    A batch of n images has ``n * rows`` entries along its first dimension, each of ``shape``. ``order`` lists the
    dimensions from the outermost to the innermost in memory, as the plain model has them there.
    """

    name: str
    rows: int
    shape: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of what one image contributes."""
        return self.shape if self.rows == 1 else (self.rows, *self.shape)

    def arrange(self, batch: Tensor) -> Tensor:
        """A batch [n, *image_shape] as the suffix expects it: [n * rows, *shape], in the plain model's memory order."""
        if self.rows > 1:
            batch = batch.flatten(0, 1)
        if self.order != tuple(range(batch.dim())):
            inverse = [self.order.index(i) for i in range(batch.dim())]
            batch = batch.permute(self.order).contiguous().permute(inverse)
        return batch


@dataclass(frozen=True, slots=True)
class TracedSource:
    """The traced model in eval mode that a cut was made in, and the names of its frontier's nodes."""

    traced: fx.GraphModule
    facts: GraphFacts
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """A model in two parts: ``suffix(*prefix(images))`` equals the model.

    ``prefix`` maps images [n, 3, H, W] to the tuple of frontier tensors. ``train`` and ``evaluate`` are the suffix in
    the modes of training and with all modules in eval mode. ``note`` says what a user should know, or is empty.
    ``source`` is the graph that was cut, None where there is none.
    """

    tensors: tuple[FrontierTensor, ...]
    prefix: nn.Module
    train: nn.Module
    evaluate: nn.Module
    note: str = ""
    source: TracedSource | None = None

    @property
    def at_input(self) -> bool:
        """Whether nothing is cut off: the frontier is the image itself."""
        return isinstance(self.prefix, _Images)


def cut_model(model: nn.Module, head: str, images: Tensor) -> Cut:
    """Cut a model, in its present modes and with its present flags, at its frontier.

    ``images`` [n >= 3, 3, H, W] is an example to find shapes with and to compare on. A model that cannot be traced is
    cut before its head if only the head is live; one that cannot be cut at all runs whole, and the note says so.
    """
    try:
        return _cut_by_graph(model, images)
    except (UntraceableError, CutRefusedError) as error:
        try:
            return _cut_at_head(model, head, images, note=f"torch.fx cannot cut this model ({error}): cut at its head")
        except CutRefusedError as refusal:
            note = f"torch.fx cannot cut this model ({error}; {refusal}): every batch runs it whole"
            return _uncut(model, images, note)


def _cut_by_graph(model: nn.Module, images: Tensor, opaque: Opaque = frozenset()) -> Cut:
    training, opaque = _trace_around(model, opaque)
    live, facts = _find_live(model, training, images)
    frontier = _find_frontier(model, training.graph, live, facts)
    if not frontier:
        raise CutRefusedError("its output does not depend on the images")
    if len(frontier) == 1 and frontier[0].op == "placeholder":
        return _uncut(model, images)
    with eval_mode(model):
        evaluating, more = _trace_around(model, opaque)
        all_facts = study(evaluating, images)
    if more != opaque:
        # Both graphs must have the same nodes for the same work.
        return _cut_by_graph(model, images, more)
    same = counterparts(training, evaluating)
    if missing := [node.name for node in frontier if node.name not in same]:
        raise CutRefusedError(f"{missing[0]} exists in training only")
    still = {same[node.name].name for node in training.graph.nodes if node.name not in live and node.name in same}
    nodes = [same[node.name] for node in frontier]
    names = [node.name for node in nodes]
    tensors = tuple(_describe(node, all_facts) for node in nodes)
    cut = Cut(
        tensors,
        build_prefix(evaluating, names, frozenset(node.name for node in evaluating.graph.nodes) - still),
        build_suffix(training, [node.name for node in frontier], tensors[0].rows, facts),
        build_suffix(evaluating, names, tensors[0].rows, all_facts),
        source=TracedSource(evaluating, all_facts, tuple(names)),
    )
    _check(model, cut, images)
    return cut


def _trace_around(model: nn.Module, opaque: Opaque) -> tuple[fx.GraphModule, Opaque]:
    """Trace a model around those of its modules that cannot be traced: each is one node, as torch's own layers are.

    Returns the classes of these modules with the graph, those given included.
    """
    while True:
        try:
            return trace(model, opaque), opaque
        except UntraceableError as error:
            if error.inside is None or error.inside in opaque or isinstance(model, error.inside):
                raise
            opaque |= {error.inside}


def _find_live(model: nn.Module, traced: fx.GraphModule, images: Tensor) -> tuple[frozenset[str], GraphFacts]:
    """The names of the nodes that must run in every batch, and what the others turned out to be."""
    trainable = {n for n, parameter in model.named_parameters(remove_duplicate=False) if parameter.requires_grad}
    drawing: set[str] = set()
    while True:
        live: set[fx.Node] = set()
        for node in traced.graph.nodes:
            reads_live = any(source in live for source in node.all_input_nodes)
            random = node.name in drawing or is_stochastic(node, model)
            if node.op == "output" or reads_live or random or _owns(node, trainable):
                live.add(node)
        names = frozenset(node.name for node in live)
        facts = study(traced, images, names)
        if not facts.drawing:
            return names, facts
        drawing |= facts.drawing


def _find_frontier(model: nn.Module, graph: fx.Graph, live: frozenset[str], facts: GraphFacts) -> list[fx.Node]:
    """The image-dependent nodes that live nodes read on the way to the output, in the order of the graph."""
    needed = ancestors(node for node in graph.nodes if node.op == "output" or is_mutation(node, model))
    sources = (source for node in needed if node.name in live for source in node.all_input_nodes)
    read = {_behind_identities(model, source) for source in sources}
    return [node for node in graph.nodes if node in read and node.name not in live and facts.depends_on_images(node)]


def _behind_identities(model: nn.Module, node: fx.Node) -> fx.Node:
    """What an identity hands on, e.g. in a shortcut: one tensor need not be kept twice."""
    while node.op == "call_module" and type(model.get_submodule(str(node.target))) is nn.Identity:
        node = node.all_input_nodes[0]
    return node


def _owns(node: fx.Node, trainable: set[str]) -> bool:
    target = str(node.target)
    if node.op == "get_attr":
        return target in trainable
    return node.op == "call_module" and any(name.startswith(target + ".") for name in trainable)


def _describe(node: fx.Node, facts: GraphFacts) -> FrontierTensor:
    two, three = facts.shape_of(node, 0), facts.shape_of(node, 1)
    if two is None or three is None:
        raise CutRefusedError(f"{node.name} is not a tensor")
    if not two or two[0] % 2 or two[0] // 2 * 3 != three[0] or two[1:] != three[1:]:
        raise CutRefusedError(f"{node.name} does not have the images along its first dimension")
    return FrontierTensor(_label(node), two[0] // 2, two[1:], facts.order_of(node))


def _label(node: fx.Node) -> str:
    """The outermost module whose output this node is, e.g. ``layer3``; else its own name, with the module it is in."""
    if node.op == "placeholder":
        return "input"
    stack = [str(path) for path in node.meta.get("nn_module_stack", {}) if path]
    if node.op == "call_module" and str(node.target) not in stack:
        stack.append(str(node.target))
    for path in stack:
        inside = [u for u in node.users if any(p == path for p in u.meta.get("nn_module_stack", {}))]
        if not inside:
            return path
    return f"{stack[-1]}.{node.name}" if stack else node.name


def _check(model: nn.Module, cut: Cut, images: Tensor) -> None:
    with eval_mode(model), torch.no_grad():
        whole = model(images)
        parts = cut.evaluate(*_run_prefix(cut, images))
    if not isinstance(whole, Tensor) or whole.shape != parts.shape:
        raise CutRefusedError("its output is not one tensor")
    if not _agree(whole, parts):
        names = ", ".join(tensor.name for tensor in cut.tensors)
        raise CutRefusedError(f"cut at {names}, the parts give another result than the whole")


def _agree(one: Tensor, other: Tensor) -> bool:
    scale = max(1.0, float(one.abs().max()))
    return one.shape == other.shape and torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE * scale)


def _run_prefix(cut: Cut, images: Tensor) -> Sequence[Tensor]:
    outputs = cut.prefix(images)
    assert isinstance(outputs, tuple)
    return outputs


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


class _Images(nn.Module):
    """The prefix of a model that is not cut."""

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (images,)


def _uncut(model: nn.Module, images: Tensor, note: str = "") -> Cut:
    tensor = FrontierTensor("input", 1, tuple(images.shape[1:]), tuple(range(images.dim())))
    return Cut((tensor,), _Images(), model, model, note=note)


class _ReachedHeadError(Exception):
    def __init__(self, features: Tensor) -> None:
        self.features = features


class _UpToHead(nn.Module):
    """Runs a model until its head is called and returns what the head would have read."""

    def __init__(self, model: nn.Module, head: str) -> None:
        super().__init__()
        # In a tuple, so that the model does not become a submodule whose modes follow ours.
        self._held = (model, model.get_submodule(head))

    def forward(self, images: Tensor) -> tuple[Tensor]:
        with eval_mode(self._held[0]):
            return self.run(images)

    def run(self, images: Tensor) -> tuple[Tensor]:
        """The same in the model's present modes."""
        model, head = self._held

        def stop(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            raise _ReachedHeadError(inputs[0])

        handle = head.register_forward_pre_hook(stop)
        try:
            model(images)
        except _ReachedHeadError as reached:
            return (reached.features,)
        finally:
            handle.remove()
        raise CutRefusedError("its head is not called in the forward")


def _cut_at_head(model: nn.Module, head: str, images: Tensor, note: str) -> Cut:
    module = model.get_submodule(head)
    inside = set(module.modules())
    for name, part in model.named_modules():
        if part not in inside and any(p.requires_grad for p in part.parameters(recurse=False)):
            raise CutRefusedError(f"{name or 'the model itself'} trains besides the head")
        if part not in inside and not any(True for _ in part.children()) and module_is_stochastic(part):
            raise CutRefusedError(f"{name} is random in training, outside the head")
    prefix = _UpToHead(model, head)
    with torch.no_grad():
        (features,) = prefix(images)
        with random_state_kept(images.device):
            before = random_state(images.device)
            (training,) = prefix.run(images)
            drawn = not same_state(before, random_state(images.device))
    if drawn or not _agree(features, training):
        raise CutRefusedError("its forward does something else in training, outside the head")
    if features.shape[0] != images.shape[0]:
        raise CutRefusedError("its head does not read one row an image")
    tensor = FrontierTensor(head, 1, tuple(features.shape[1:]), tuple(range(features.dim())))
    cut = Cut((tensor,), prefix, module, module, note=note)
    _check(model, cut, images)
    return cut
