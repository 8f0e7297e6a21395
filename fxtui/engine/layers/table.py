"""The layer table: the truth about every module with parameters, read from the parameters themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from torch import nn

from fxtui.config import RunConfig
from fxtui.engine.assemble import build_freezing, load_for
from fxtui.engine.data.sources.source import open_source
from fxtui.engine.freezing.modes import BatchNorm
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.layers.faults import contradiction_in, mode_contradiction_in
from fxtui.engine.optimization.optimizer import Optimization, Rates
from fxtui.protocol.events import LayerRow, Layers, Shape, Share


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
                lr=common_rate(named, rates),
                bn=("moving" if any(part.training for part in norms) else "still") if norms else None,
                output=outputs.get(path),
                is_stage=path in freezing.stages,
                is_head=path == freezing.head,
                fault=contradiction_in(path, named, rates, moved)
                or mode_contradiction_in(path, module, freezing.batchnorm),
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


def trainable_count(model: nn.Module) -> int:
    """How many numbers the optimizer may change."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def layers_of_config(config: RunConfig) -> Layers:
    """The layer table that a run with this configuration starts with.

    Raises:
        ConfigError: the configuration cannot be run.
    """
    loaded = load_for(config, len(open_source(config.data).classes))
    freezing = build_freezing(loaded, config)
    rates = Optimization(loaded.module, freezing, config.train, 1).rates()
    return layer_table(loaded.module, freezing, rates, {})


def _share(flags: Iterable[bool]) -> Share:
    flags = list(flags)
    return "all" if all(flags) else "some" if any(flags) else "none"


def common_rate(names: Iterable[str], rates: Rates) -> float | None:
    lrs = {rate for name in names for rate in rates[name]}
    return lrs.pop() if len(lrs) == 1 else None
