"""What one update did to each layer."""

from __future__ import annotations

import math

from torch import nn

from fxtui.engine.layers.table import common_rate
from fxtui.engine.optimization.optimizer import Rates
from fxtui.engine.optimization.step import UpdateFigures
from fxtui.protocol.events import LayerFigure


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
            found.append(LayerFigure(path, gradient, ratio, common_rate(named, rates)))
    return tuple(found)
