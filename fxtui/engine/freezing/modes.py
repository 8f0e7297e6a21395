"""Train and eval modes by one rule, and giving every module its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from torch import nn

from fxtui.config import BatchNormMode

BatchNorm = nn.modules.batchnorm._BatchNorm


def apply_modes(model: nn.Module, batchnorm: BatchNormMode = "follow") -> None:
    """Set train or eval mode of every module by one rule.

    A module that has parameters, its descendants' included, is in train mode if one of them is trainable; one without
    has the mode of the module that holds it. This equals ``model.train()`` followed by ``eval()`` on every wholly
    frozen module. ``batchnorm`` overrides the mode of BatchNorm modules: ``frozen`` eval, ``live`` train.
    """
    modes = dict.fromkeys(model.modules(), True)
    for module in model.modules():
        flags = [parameter.requires_grad for parameter in module.parameters()]
        if flags and not any(flags):
            modes.update(dict.fromkeys(module.modules(), False))
    if batchnorm != "follow":
        modes.update({module: batchnorm == "live" for module in modes if isinstance(module, BatchNorm)})
    set_modes(list(modes.items()))


def set_modes(modes: Sequence[tuple[nn.Module, bool]]) -> None:
    """Give each module its own mode, whatever the module that holds it has.

    A module with a ``train`` of its own has it called first: it may have to drop what it keeps for eval mode, as the
    attention of LeViT does.
    """
    for module, mode in modes:
        if type(module).train is not nn.Module.train:
            module.train(mode)
    for module, mode in modes:
        module.training = mode


@contextlib.contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """All modules in eval mode inside, each back in its own afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        set_modes([(module, False) for module, _ in modes])
        yield
    finally:
        set_modes(modes)
