"""Which parameters train: paths, patterns, modes, and the history that undo walks back.

The state of freezing is the set of names of trainable parameters; flags and modes are derived from it. The head is not
part of the set: it always trains.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from functools import cached_property

from torch import nn

from fxtui.config import BatchNormMode
from fxtui.engine.freezing.modes import apply_modes
from fxtui.engine.freezing.patterns import cover, inside, meant_by, only_norms
from fxtui.protocol import commands as cmd
from fxtui.protocol.commands import CommandRefusedError


class Freezing:
    """The freeze state of one model.

    ``head`` is the module path of the head, ``stages`` the module paths of the backbone's stages in forward order,
    ``batchnorm`` what decides whether BatchNorm's statistics move.
    """

    def __init__(
        self, model: nn.Module, head: str, stages: tuple[str, ...], batchnorm: BatchNormMode = "follow"
    ) -> None:
        self._model = model
        self.head = head
        self.stages = stages
        self.batchnorm = batchnorm
        self.trainable: frozenset[str] = frozenset()
        self.history: list[frozenset[str]] = []

    @cached_property
    def backbone_names(self) -> tuple[str, ...]:
        """The names of the backbone's parameters, in definition order; one that is shared has its first name."""
        return tuple(name for name, _ in self._model.named_parameters() if not inside(name, self.head))

    @cached_property
    def _names(self) -> dict[str, str]:
        """Every name that a parameter of the backbone goes by, and the one it has in ``backbone_names``."""
        names = set(self.backbone_names)
        first = {parameter: name for name, parameter in self._model.named_parameters() if name in names}
        every = self._model.named_parameters(remove_duplicate=False)
        return {name: first[parameter] for name, parameter in every if parameter in first}

    def resolve(self, paths: Iterable[str]) -> frozenset[str]:
        """The parameter names that module paths, parameter names or patterns (``*.bn*``) mean.

        Raises:
            CommandRefusedError: a path matches nothing, or only the head.
        """
        modules = [name for name, _ in self._model.named_modules(remove_duplicate=False) if name]
        found: set[str] = set()
        for path in paths:
            names = meant_by(path, self._names, modules)
            if not names and path and inside(path, self.head):
                raise CommandRefusedError(f"{path}: the head always trains")
            if not names and path in modules and inside(self.head, path):
                raise CommandRefusedError(f"{path}: holds only the head, which always trains")
            if not names and path in modules:
                raise CommandRefusedError(f"{path}: has no parameters")
            if not names:
                near = difflib.get_close_matches(path, [*self.stages, *modules], n=1)
                raise CommandRefusedError(f"{path}: no such layer" + (f"; did you mean {near[0]}?" if near else ""))
            found |= names
        return frozenset(found)

    def next_stage(self) -> frozenset[str] | None:
        """What `unfreeze_next` adds: the deepest stage that is not wholly trainable, None if all are.

        A stage that holds nothing but normalisation comes together with the one before it: alone it would move
        next to nothing.
        """
        names: set[str] = set()
        for stage in reversed(self.stages):
            own = [name for name in self.backbone_names if inside(name, stage)]
            if all(name in self.trainable for name in own):
                continue
            names.update(own)
            if not only_norms(self._model.get_submodule(stage)):
                return frozenset(names)
        if names:
            return frozenset(names)
        rest = frozenset(self.backbone_names) - self.trainable
        return rest or None

    def change_to(self, trainable: frozenset[str]) -> None:
        """Make exactly these parameters (and the head) trainable: flags, modes, and the old state onto the history.

        Raises:
            CommandRefusedError: nothing would change.
        """
        self.refuse_same(trainable)
        self.history.append(self.trainable)
        self.trainable = trainable
        self.apply()

    def undo(self) -> None:
        """Go back to the state before the last change.

        Raises:
            CommandRefusedError: there was no change.
        """
        self.trainable = self.previous()
        self.history.pop()
        self.apply()

    def previous(self) -> frozenset[str]:
        """The state that `undo` goes back to.

        Raises:
            CommandRefusedError: there was no change.
        """
        if not self.history:
            raise CommandRefusedError("nothing to undo: the freezing has not been changed")
        return self.history[-1]

    def refuse_same(self, trainable: frozenset[str]) -> None:
        """Refuse a change to what holds already.

        Raises:
            CommandRefusedError: it is no change.
        """
        if trainable == self.trainable:
            raise CommandRefusedError("nothing to change: that is how it is now")

    @contextlib.contextmanager
    def proposed(self, trainable: frozenset[str]) -> Iterator[None]:
        """The model's flags and modes as this change would set them, put back afterwards.

        Gradients are left alone, also those of parameters that would be frozen: one may be half gathered.
        """
        flags = [(parameter, parameter.requires_grad) for parameter in self._model.parameters()]
        modes = [(module, module.training) for module in self._model.modules()]
        try:
            self._set(trainable)
            yield
        finally:
            for parameter, flag in flags:
                parameter.requires_grad_(flag)
            for module, mode in modes:
                module.training = mode

    def apply(self) -> None:
        """Set every flag and every mode by the state. Frozen parameters lose their gradient."""
        self._set(self.trainable)
        for parameter in self._model.parameters():
            if not parameter.requires_grad:
                parameter.grad = None

    def describe(self, names: frozenset[str]) -> tuple[str, ...]:
        """The shortest list of module paths (or single parameters) that covers exactly these names."""
        return tuple(cover(self._model, "", frozenset(names), self.head))

    def describe_change(self, before: frozenset[str], after: frozenset[str]) -> str:
        """What trains now that did not, and the other way round, in a sentence."""
        counts = {name: parameter.numel() for name, parameter in self._model.named_parameters()}
        parts = []
        if gained := after - before:
            names = ", ".join(self.describe(gained))
            parts.append(f"{names} trains: {sum(counts[n] for n in gained):,} more parameters (z undoes)")
        if lost := before - after:
            names = ", ".join(self.describe(lost))
            parts.append(f"{names} frozen again, its optimizer state is gone")
        return "; ".join(parts)

    def stage_of(self, name: str) -> int:
        """The position in ``stages`` of the stage a parameter belongs to.

        A direct parameter of the model, such as a class token, counts with the first stage: the input's end.
        """
        return next((i for i, stage in enumerate(self.stages) if inside(name, stage)), 0)

    def _set(self, trainable: frozenset[str]) -> None:
        for name, parameter in self._model.named_parameters():
            parameter.requires_grad_(name in trainable or inside(name, self.head))
        apply_modes(self._model, self.batchnorm)


def target_of(change: cmd.FreezeCommand, freezing: Freezing) -> frozenset[str]:
    """The names that would be trainable after a command, besides the head's.

    Raises:
        CommandRefusedError: the command cannot be carried out, or nothing would change.
    """
    match change:
        case cmd.SetTrainable():
            names = freezing.resolve(change.paths)
            if change.only:
                target = names if change.value else frozenset(freezing.backbone_names) - names
            else:
                target = freezing.trainable | names if change.value else freezing.trainable - names
        case cmd.FreezeAll():
            target = frozenset()
        case cmd.UnfreezeAll():
            target = frozenset(freezing.backbone_names)
        case cmd.UnfreezeNext():
            following = freezing.next_stage()
            if following is None:
                raise CommandRefusedError("nothing left to unfreeze: every layer trains")
            target = freezing.trainable | following
        case cmd.Undo():
            target = freezing.previous()
    freezing.refuse_same(target)
    return target
