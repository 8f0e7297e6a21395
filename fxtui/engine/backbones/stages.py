"""The stages of a backbone: its top-level blocks in forward order."""

from __future__ import annotations

from torch import nn

_FEWEST = 4


def find_stages(model: nn.Module, head: str) -> tuple[str, ...]:
    """Module paths that together hold all modules of the backbone with parameters, without the head.

    The model's children, and while there are fewer than four, the largest of them is replaced by its own children.
    Definition order is taken for forward order, which holds for every torchvision model.
    """
    stages = _children(model, "", head)
    while len(stages) < _FEWEST:
        options = [path for path in stages if len(_children(model, path, head)) > 0]
        if not options:
            break
        largest = max(options, key=lambda path: _size(model, path, head))
        at = stages.index(largest)
        stages[at : at + 1] = _children(model, largest, head)
    # A container that holds the head is no stage itself, but what stands beside the head in it is.
    for path in [path for path in stages if head.startswith(path + ".")]:
        at = stages.index(path)
        stages[at : at + 1] = _children(model, path, head)
    return tuple(stages)


def _children(model: nn.Module, path: str, head: str) -> list[str]:
    prefix = f"{path}." if path else ""
    named = model.get_submodule(path).named_children()
    return [prefix + name for name, _ in named if _size(model, prefix + name, head)]


def _size(model: nn.Module, path: str, head: str) -> int:
    if path == head:
        return 0
    whole = sum(p.numel() for p in model.get_submodule(path).parameters())
    inside = head.startswith(path + ".")
    return whole - sum(p.numel() for p in model.get_submodule(head).parameters()) if inside else whole
