"""Finding a model's classification layer and putting a new one in its place."""

from __future__ import annotations

import torch
from torch import nn

from fxtui.config import ConfigError

_USUAL = ("fc", "head", "heads", "classifier", "last_linear", "output")


def find_head(model: nn.Module, name: str) -> str:
    """The module path of the classification layer: the last Linear or 1 x 1 convolution of what is usually the head.

    Raises:
        ConfigError: there is none.
    """
    for root in _USUAL:
        part = getattr(model, root, None)
        if isinstance(part, nn.Module) and (path := _last_classifier(part)) is not None:
            return f"{root}.{path}" if path else str(root)
    linear: list[str] = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    if linear:
        return linear[-1]
    raise ConfigError(f"model.backbone = '{name}': no classification layer found; expected a Linear, e.g. as its .fc")


def replace_head(model: nn.Module, path: str, classes: int, seed: int) -> int:
    """Put a new layer of the same kind for ``classes`` in place and return the width it reads.

    Its initial weights depend on ``seed`` alone, and the global random state is left as it is.
    """
    old = model.get_submodule(path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
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


def _last_classifier(part: nn.Module) -> str | None:
    found: str | None = None
    for path, module in part.named_modules():
        pointwise = isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)
        if isinstance(module, nn.Linear) or pointwise:
            found = str(path)
    return found
