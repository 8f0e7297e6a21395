"""What contradicts itself in a layer: trainable but in no group, frozen but moving, and their like."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import nn

from fxtui.config import BatchNormMode
from fxtui.engine.freezing.modes import BatchNorm
from fxtui.engine.optimization.optimizer import Rates


def contradiction_in(path: str, named: Mapping[str, nn.Parameter], rates: Rates, moved: Collection[str]) -> str:
    """The first contradiction found in a module, its descendants included, in a sentence; empty if there is none."""
    for name, parameter in named.items():
        if parameter.requires_grad and not rates[name]:
            return f"{name} is trainable but in no parameter group: it never trains"
        if not parameter.requires_grad and rates[name]:
            return f"{name} is frozen but in the optimizer"
        if len(rates[name]) > 1:
            return f"{name} is in {len(rates[name])} parameter groups: it is updated as often"
        if not parameter.requires_grad and parameter.grad is not None:
            return f"{name} is frozen but has a gradient"
    still = next((name for name in sorted(moved) if name.startswith(path + ".")), None)
    if still is not None:
        return f"{still} is frozen but moves"
    return ""


def mode_contradiction_in(path: str, module: nn.Module, batchnorm: BatchNormMode) -> str:
    """What contradicts the wish in a module itself rather than in its parameters; empty if nothing does."""
    for inside, part in module.named_modules():
        where = f"{path}.{inside}" if inside else path
        if isinstance(part, BatchNorm) and part.training and part.track_running_stats and batchnorm != "live":
            flags = [parameter.requires_grad for parameter in part.parameters()]
            if batchnorm == "frozen" or (flags and not any(flags)):
                return f"{where} is frozen but in train mode: its statistics move"
        # Setting the attribute on a module, instead of calling requires_grad_(), changes no parameter.
        wanted = vars(part).get("requires_grad")
        if isinstance(wanted, bool) and any(p.requires_grad is not wanted for p in part.parameters()):
            return f"{where}.requires_grad = {wanted} is an attribute of the module and changes no parameter"
    return ""
