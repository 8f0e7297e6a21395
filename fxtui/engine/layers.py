"""The layer table: the truth about every module with parameters, read from the parameters themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from torch import nn

from fxtui.config import RunConfig
from fxtui.engine.freezing import BatchNorm, Freezing
from fxtui.engine.stepper import UpdateFigures
from fxtui.run.events import LayerFigure, LayerRow, Layers, Shape, Share


def layer_rows(
    model: nn.Module, freezing: Freezing, rates: Mapping[str, float], outputs: Mapping[str, Shape]
) -> tuple[LayerRow, ...]:
    """One row for each module that holds parameters, in definition order, parents before their children.

    ``rates`` gives the learning rate of every parameter in the optimizer, ``outputs`` the shape of a module's output
    for one image, where it is known.
    """
    rows = []
    for path, module in model.named_modules():
        named = {f"{path}.{name}": parameter for name, parameter in module.named_parameters()}
        if not path or not named:
            continue
        flags = [parameter.requires_grad for parameter in named.values()]
        held = [name in rates for name in named]
        lrs = {rates[name] for name in named if name in rates}
        norms = [part for part in module.modules() if isinstance(part, BatchNorm) and part.track_running_stats]
        rows.append(
            LayerRow(
                path=path,
                kind=type(module).__name__,
                parameters=sum(parameter.numel() for parameter in named.values()),
                trainable=_share(flags),
                in_optimizer=_share(held),
                mode="train" if module.training else "eval",
                lr=lrs.pop() if len(lrs) == 1 else None,
                bn=("moving" if any(part.training for part in norms) else "still") if norms else None,
                output=outputs.get(path),
                is_stage=path in freezing.stages,
                is_head=path == freezing.head,
                fault=_fault(named, rates),
            )
        )
    return tuple(rows)


def layer_table(
    model: nn.Module, freezing: Freezing, rates: Mapping[str, float], outputs: Mapping[str, Shape]
) -> Layers:
    """The whole table with its sums."""
    return Layers(
        rows=layer_rows(model, freezing, rates, outputs),
        parameters=sum(p.numel() for p in model.parameters()),
        trainable_parameters=trainable_count(model),
    )


def layer_figures(model: nn.Module, figures: UpdateFigures) -> tuple[LayerFigure, ...]:
    """The figures of an update for each module that holds a parameter that took part in it."""
    found = []
    for path, module in model.named_modules():
        names = [f"{path}.{name}" for name, _ in module.named_parameters() if f"{path}.{name}" in figures.gradient]
        if path and names:
            gradient, weight, update = (
                math.sqrt(sum(part[name] for name in names))
                for part in (figures.gradient, figures.weight, figures.update)
            )
            found.append(LayerFigure(path, gradient, update / weight if weight else 0.0))
    return tuple(found)


def trainable_count(model: nn.Module) -> int:
    """How many numbers the optimizer may change."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def layers_of_config(config: RunConfig) -> Layers:
    """The layer table that a run with this configuration starts with.

    Raises:
        ConfigError: the configuration cannot be run.
    """
    from fxtui.engine.data.source import open_source
    from fxtui.engine.optim import Optimization
    from fxtui.engine.setup import build_freezing, load_for

    loaded = load_for(config, len(open_source(config.data).classes))
    freezing = build_freezing(loaded, config)
    rates = Optimization(loaded.module, freezing, config.train, 1).rates()
    return layer_table(loaded.module, freezing, rates, {})


def _share(flags: Iterable[bool]) -> Share:
    flags = list(flags)
    return "all" if all(flags) else "some" if any(flags) else "none"


def _fault(named: Mapping[str, nn.Parameter], rates: Mapping[str, float]) -> str:
    outside = [name for name, parameter in named.items() if parameter.requires_grad and name not in rates]
    if outside:
        return f"{outside[0]} is trainable but in no parameter group"
    held = [name for name, parameter in named.items() if not parameter.requires_grad and name in rates]
    return f"{held[0]} is frozen but in the optimizer" if held else ""
