"""Which parameters train: paths, patterns, modes, and the history that undo walks back.

The state of freezing is the set of names of trainable parameters; flags and modes are derived from it. The head is not
part of the set: it always trains.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cached_property

from torch import nn

from fxtui.config import BatchNormMode

BatchNorm = nn.modules.batchnorm._BatchNorm
_NORMS = (BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm, nn.RMSNorm)


class FreezeError(ValueError):
    """A change of freezing that cannot be made, and why."""


class Freezing:
    """The freeze state of one model.

    ``head`` is the module path of the head, ``stages`` the module paths of the backbone's stages in forward order.
    """

    def __init__(
        self, model: nn.Module, head: str, stages: tuple[str, ...], batchnorm: BatchNormMode = "follow"
    ) -> None:
        self._model = model
        self.head = head
        self.stages = stages
        self._batchnorm = batchnorm
        self.trainable: frozenset[str] = frozenset()
        self.history: list[frozenset[str]] = []

    @cached_property
    def backbone_names(self) -> tuple[str, ...]:
        """The names of the backbone's parameters, in definition order."""
        return tuple(name for name, _ in self._model.named_parameters() if not _inside(name, self.head))

    def resolve(self, paths: Iterable[str]) -> frozenset[str]:
        """The parameter names that module paths, parameter names or patterns (``*.bn*``) mean.

        Raises:
            FreezeError: a path matches nothing, or only the head.
        """
        modules = [name for name, _ in self._model.named_modules() if name]
        found: set[str] = set()
        for path in paths:
            if path == "":
                names = set(self.backbone_names)
            elif any(sign in path for sign in "*?["):
                roots = [m for m in modules if fnmatchcase(m, path)]
                names = {n for n in self.backbone_names if fnmatchcase(n, path) or any(_inside(n, r) for r in roots)}
            else:
                names = {n for n in self.backbone_names if _inside(n, path)}
            if not names and path and _inside(path, self.head):
                raise FreezeError(f"{path}: the head always trains")
            if not names and path in modules and _inside(self.head, path):
                raise FreezeError(f"{path}: holds only the head, which always trains")
            if not names and path in modules:
                raise FreezeError(f"{path}: has no parameters")
            if not names:
                near = difflib.get_close_matches(path, [*self.stages, *modules], n=1)
                raise FreezeError(f"{path}: no such layer" + (f"; did you mean {near[0]}?" if near else ""))
            found |= names
        return frozenset(found)

    def next_stage(self) -> frozenset[str] | None:
        """What `unfreeze_next` adds: the deepest stage that is not wholly trainable, None if all are.

        A stage that holds nothing but normalisation comes together with the one before it: alone it would move
        next to nothing.
        """
        names: set[str] = set()
        for stage in reversed(self.stages):
            own = [name for name in self.backbone_names if _inside(name, stage)]
            if all(name in self.trainable for name in own):
                continue
            names.update(own)
            if not _only_norms(self._model.get_submodule(stage)):
                return frozenset(names)
        if names:
            return frozenset(names)
        rest = frozenset(self.backbone_names) - self.trainable
        return rest or None

    def change_to(self, trainable: frozenset[str]) -> None:
        """Make exactly these parameters (and the head) trainable: flags, modes, and the old state onto the history.

        Raises:
            FreezeError: nothing would change.
        """
        if trainable == self.trainable:
            raise FreezeError("nothing to change: that is how it is now")
        self.history.append(self.trainable)
        self.trainable = trainable
        self.apply()

    def undo(self) -> None:
        """Go back to the state before the last change.

        Raises:
            FreezeError: there was no change.
        """
        if not self.history:
            raise FreezeError("nothing to undo: the freezing has not been changed")
        self.trainable = self.history.pop()
        self.apply()

    def apply(self) -> None:
        """Set every flag and every mode by the state. Frozen parameters lose their gradient."""
        for name, parameter in self._model.named_parameters():
            trains = name in self.trainable or _inside(name, self.head)
            parameter.requires_grad_(trains)
            if not trains:
                parameter.grad = None
        apply_modes(self._model, self._batchnorm)

    def describe(self, names: frozenset[str]) -> tuple[str, ...]:
        """The shortest list of module paths (or single parameters) that covers exactly these names."""
        return tuple(_cover(self._model, "", frozenset(names), self.head))

    def stage_of(self, name: str) -> int:
        """The position in ``stages`` of the stage a parameter belongs to.

        A direct parameter of the model, such as a class token, counts with the first stage: the input's end.
        """
        return next((i for i, stage in enumerate(self.stages) if _inside(name, stage)), 0)


def apply_modes(model: nn.Module, batchnorm: BatchNormMode = "follow") -> None:
    """Set train or eval mode of every module by one rule.

    A module that has parameters, its descendants' included, is in train mode if one of them is trainable; one without
    has the mode of the module that holds it. This equals ``model.train()`` followed by ``eval()`` on every wholly
    frozen module. ``batchnorm`` overrides the mode of BatchNorm modules: ``frozen`` eval, ``live`` train.
    """

    def visit(module: nn.Module, inherited: bool) -> None:
        flags = [parameter.requires_grad for parameter in module.parameters()]
        module.training = any(flags) if flags else inherited
        for child in module.children():
            visit(child, module.training)

    visit(model, True)
    if batchnorm != "follow":
        for module in model.modules():
            if isinstance(module, BatchNorm):
                module.training = batchnorm == "live"


def _inside(name: str, path: str) -> bool:
    return name == path or name.startswith(path + ".")


def _only_norms(module: nn.Module) -> bool:
    return all(
        isinstance(part, _NORMS) or re.search("norm", type(part).__name__, re.IGNORECASE)
        for part in module.modules()
        if any(True for _ in part.parameters(recurse=False))
    )


def _cover(module: nn.Module, path: str, names: frozenset[str], head: str) -> list[str]:
    prefix = f"{path}." if path else ""
    own = [prefix + name for name, _ in module.named_parameters() if not _inside(prefix + name, head)]
    if path and own and all(name in names for name in own):
        return [path]
    found = [prefix + name for name, _ in module.named_parameters(recurse=False) if prefix + name in names]
    for name, child in module.named_children():
        found += _cover(child, prefix + name, names, head)
    return found
