"""Cutting a model at the frontier of its frozen part.

The frontier is the set of image-dependent tensors that trainable (or otherwise live) computation reads. Everything
before it is computed once per image and kept; everything behind it runs in every batch. Training the head alone is the
special case in which the frontier is the feature vector.
"""

from __future__ import annotations

from torch import Tensor, fx, nn

from fxtui.engine.freezing.modes import eval_mode
from fxtui.engine.frontier.at_head import cut_at_head
from fxtui.engine.frontier.parts import ancestors, build_prefix, build_suffix
from fxtui.engine.frontier.records import Cut, FrontierTensor, TracedSource, check_agreement, uncut
from fxtui.engine.frontier.study import CutRefusedError, GraphFacts, counterparts, study
from fxtui.engine.tracing.randomness import is_stochastic
from fxtui.engine.tracing.trace import UntraceableError, is_mutation, trace

Opaque = frozenset[type[nn.Module]]


def cut_model(model: nn.Module, head: str, images: Tensor) -> Cut:
    """Cut a model, in its present modes and with its present flags, at its frontier.

    ``images`` [n >= 3, 3, H, W] is an example to find shapes with and to compare on. A model that cannot be traced is
    cut before its head if only the head is live; one that cannot be cut at all runs whole, and the note says so.
    """
    try:
        return _cut_by_graph(model, images)
    except (UntraceableError, CutRefusedError) as error:
        try:
            return cut_at_head(model, head, images, note=f"torch.fx cannot cut this model ({error}): cut at its head")
        except CutRefusedError as refusal:
            note = f"torch.fx cannot cut this model ({error}; {refusal}): every batch runs it whole"
            return uncut(model, images, note)


def _cut_by_graph(model: nn.Module, images: Tensor, opaque: Opaque = frozenset()) -> Cut:
    training, opaque = _trace_around(model, opaque)
    live, facts = _find_live(model, training, images)
    frontier = _find_frontier(model, training.graph, live, facts)
    if not frontier:
        raise CutRefusedError("its output does not depend on the images")
    if len(frontier) == 1 and frontier[0].op == "placeholder":
        return uncut(model, images)
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
    check_agreement(model, cut, images)
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
