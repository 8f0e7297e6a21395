"""Finding a model's classification layer and putting a new one in its place."""

from __future__ import annotations

import torch
from torch import fx, nn

from fxtui.config import ConfigError
from fxtui.engine.tracing.trace import UntraceableError, trace

_USUAL = ("fc", "head", "heads", "classifier", "last_linear", "output")


def find_head(model: nn.Module, name: str) -> str:
    """The module path of the classification layer: a Linear or 1 x 1 convolution that gives the model's output.

    The last such layer under a usual name, if it is the last Linear of the model as well; where the two differ, the
    model is traced and its output followed back.

    Raises:
        ConfigError: there is none.
    """
    usual, last = _usual_head(model), _last_linear(model)
    if usual is not None and last in (usual, None):
        return usual
    try:
        found = _behind_output(model)
    except UntraceableError:
        found = usual or last
    if found is None:
        raise ConfigError(
            f"model.backbone = '{name}': no classification layer found; end it in a Linear, e.g. as its .fc"
        )
    return found


def replace_head(model: nn.Module, path: str, classes: int, seed: int) -> int:
    """Put a new layer of the same kind for ``classes`` in place and return the width it reads.

    Its initial weights depend on ``seed`` alone, and the global random state is left as it is.
    """
    old = model.get_submodule(path)
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed the accelerators as well.
        torch.default_generator.manual_seed(seed)
        if isinstance(old, nn.Linear):
            new: nn.Module = nn.Linear(old.in_features, classes, bias=old.bias is not None)
            width = old.in_features
        else:
            assert isinstance(old, nn.Conv2d)
            new = nn.Conv2d(old.in_channels, classes, 1, bias=old.bias is not None)
            width = old.in_channels
    model.set_submodule(path, new)
    # torchvision's SqueezeNet remembers the number of classes beside its layer.
    if hasattr(model, "num_classes"):
        model.num_classes = classes  # type: ignore[assignment]
    return width


def _usual_head(model: nn.Module) -> str | None:
    for root in _USUAL:
        part = getattr(model, root, None)
        if isinstance(part, nn.Module):
            inside = [path for path, module in part.named_modules() if _classifies(module)]
            if inside:
                return f"{root}.{inside[-1]}" if inside[-1] else root
    return None


def _last_linear(model: nn.Module) -> str | None:
    linear = [path for path, module in model.named_modules() if path and isinstance(module, nn.Linear)]
    return linear[-1] if linear else None


def _behind_output(model: nn.Module) -> str | None:
    """The layer whose result the model returns, but for pooling, reshaping, dropout and activations after it."""
    graph = trace(model).graph
    node = next(node for node in graph.nodes if node.op == "output")
    while len(node.all_input_nodes) == 1:
        node = node.all_input_nodes[0]
        if node.op == "call_module":
            module = model.get_submodule(str(node.target))
            if _classifies(module):
                return str(node.target)
            if any(True for _ in module.parameters()):
                return None
        elif not isinstance(node, fx.Node) or node.op not in ("call_function", "call_method"):
            return None
    return None


def _classifies(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1))
