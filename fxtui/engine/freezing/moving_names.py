"""The names of what moves in training."""

from __future__ import annotations

from torch import nn


def moving_names(model: nn.Module) -> frozenset[str]:
    """The names of parameters that train and of buffers in modules that are in train mode."""
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    for path, module in model.named_modules():
        if module.training:
            names.update(f"{path}.{name}" if path else name for name, _ in module.named_buffers(recurse=False))
    return frozenset(names)
