"""The layer table: the truth about every module with parameters, read from the parameters themselves."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from torch import nn

from fxtui.config import BatchNormMode, RunConfig
from fxtui.engine.freezing.state import BatchNorm, Freezing
from fxtui.engine.optimization.step import UpdateFigures
from fxtui.protocol.events import LayerFigure, LayerRow, Layers, Shape, Share

Rates = Mapping[str, tuple[float, ...]]


def layer_rows(
    model: nn.Module,
    freezing: Freezing,
    rates: Rates,
    outputs: Mapping[str, Shape],
    moved: Collection[str] = (),
) -> tuple[LayerRow, ...]:
    """One row for each module that holds parameters, in definition order, parents before their children.

    ``rates`` gives the learning rates of every parameter, one for each parameter group that holds it, ``outputs`` the
    shape of a module's output for one image, where it is known, ``moved`` the frozen tensors that were seen to change.
    """
    rows = []
    for path, module in model.named_modules():
        named = {f"{path}.{name}": parameter for name, parameter in module.named_parameters()}
        if not path or not named:
            continue
        norms = [part for part in module.modules() if isinstance(part, BatchNorm) and part.track_running_stats]
        rows.append(
            LayerRow(
                path=path,
                kind=type(module).__name__,
                parameters=sum(parameter.numel() for parameter in named.values()),
                trainable=_share(parameter.requires_grad for parameter in named.values()),
                in_optimizer=_share(bool(rates[name]) for name in named),
                mode="train" if module.training else "eval",
                lr=_common_rate(named, rates),
                bn=("moving" if any(part.training for part in norms) else "still") if norms else None,
                output=outputs.get(path),
                is_stage=path in freezing.stages,
                is_head=path == freezing.head,
                fault=_fault(path, named, rates, moved) or _mode_fault(path, module, freezing.batchnorm),
            )
        )
    return tuple(rows)


def layer_table(
    model: nn.Module,
    freezing: Freezing,
    rates: Rates,
    outputs: Mapping[str, Shape],
    moved: Collection[str] = (),
) -> Layers:
    """The whole table with its sums."""
    return Layers(
        rows=layer_rows(model, freezing, rates, outputs, moved),
        parameters=sum(p.numel() for p in model.parameters()),
        trainable_parameters=trainable_count(model),
    )


def layer_figures(model: nn.Module, figures: UpdateFigures, rates: Rates) -> tuple[LayerFigure, ...]:
    """The figures of an update for each module that holds a parameter that took part in it."""
    found = []
    for path, module in model.named_modules():
        named = [f"{path}.{name}" for name, _ in module.named_parameters()]
        names = [name for name in named if name in figures.gradient]
        if path and names:
            gradient, weight, update = (
                math.sqrt(sum(part[name] for name in names))
                for part in (figures.gradient, figures.weight, figures.update)
            )
            ratio = update / weight if weight else 0.0
            found.append(LayerFigure(path, gradient, ratio, _common_rate(named, rates)))
    return tuple(found)


def trainable_count(model: nn.Module) -> int:
    """How many numbers the optimizer may change."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def layers_of_config(config: RunConfig) -> Layers:
    """The layer table that a run with this configuration starts with.

    Raises:
        ConfigError: the configuration cannot be run.
    """
    from fxtui.engine.assemble import build_freezing, load_for
    from fxtui.engine.data.sources.source import open_source
    from fxtui.engine.optimization.optimizer import Optimization

    loaded = load_for(config, len(open_source(config.data).classes))
    freezing = build_freezing(loaded, config)
    rates = Optimization(loaded.module, freezing, config.train, 1).rates()
    return layer_table(loaded.module, freezing, rates, {})


def _share(flags: Iterable[bool]) -> Share:
    flags = list(flags)
    return "all" if all(flags) else "some" if any(flags) else "none"


def _common_rate(names: Iterable[str], rates: Rates) -> float | None:
    lrs = {rate for name in names for rate in rates[name]}
    return lrs.pop() if len(lrs) == 1 else None


def _fault(path: str, named: Mapping[str, nn.Parameter], rates: Rates, moved: Collection[str]) -> str:
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


def _mode_fault(path: str, module: nn.Module, batchnorm: BatchNormMode) -> str:
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
