"""Paths and patterns: which parameters they mean, and the shortest list of paths that means some parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from torch import nn

from fxtui.engine.freezing.modes import BatchNorm

_NORMS = (BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm, nn.RMSNorm)


def meant_by(path: str, names: Mapping[str, str], modules: Iterable[str]) -> set[str]:
    """The parameters that a module path, a parameter's name or a pattern (``*.bn*``) means; "" means all.

    ``names`` are all names that parameters go by, with the one to answer with, ``modules`` all module paths.
    """
    if path == "":
        return set(names.values())
    if any(sign in path for sign in "*?["):
        roots = [module for module in modules if fnmatchcase(module, path)]
        return {
            own for name, own in names.items() if fnmatchcase(name, path) or any(inside(name, root) for root in roots)
        }
    return {own for name, own in names.items() if inside(name, path)}


def inside(name: str, path: str) -> bool:
    """Whether a parameter or module is the one at a path, or lies in it."""
    return name == path or name.startswith(path + ".")


def only_norms(module: nn.Module) -> bool:
    """Whether nothing but normalisation has parameters in a module."""
    return all(
        isinstance(part, _NORMS) or re.search("norm", type(part).__name__, re.IGNORECASE)
        for part in module.modules()
        if any(True for _ in part.parameters(recurse=False))
    )


def cover(module: nn.Module, path: str, names: frozenset[str], head: str) -> list[str]:
    """The shortest list of module paths, or single parameters, below ``path`` that covers exactly these names."""
    prefix = f"{path}." if path else ""
    own = [prefix + name for name, _ in module.named_parameters() if not inside(prefix + name, head)]
    if path and own and all(name in names for name in own):
        return [path]
    found = [prefix + name for name, _ in module.named_parameters(recurse=False) if prefix + name in names]
    for name, child in module.named_children():
        found += cover(child, prefix + name, names, head)
    return found
