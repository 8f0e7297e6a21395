"""The optimizer over whatever trains just now, and its learning rates as a pure function of the step.

Parameter groups come and go with the freeze boundary while everything else keeps its state. A scheduler object that
counts its own steps would break or compound when a group joins, so a rate is computed:
base rate x the stage's scale x warm-up(steps since joining) x schedule(step).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from fxtui.config import TrainConfig
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.optimization.lr_schedule import Anchor, LrSchedule

# The learning rates of every parameter by name, one for each parameter group that holds it.
Rates = Mapping[str, tuple[float, ...]]

# Batches over which a group that joins a running training is warmed up.
JOIN_WARMUP = 20
# A plateau schedule lowers the rate after so many epochs without a better validation loss.
PLATEAU_EPOCHS = 3


class Optimization:
    """The optimizer, its groups and their rates.

    Each group holds the parameters of one stage that began to train together and carries ``stage`` (-1: head),
    ``joined`` (step), ``warmup`` (steps) and the ``names`` of its parameters.
    """

    def __init__(self, model: nn.Module, freezing: Freezing, config: TrainConfig, total_steps: int) -> None:
        self._model = model
        self._freezing = freezing
        self._config = config
        self.base_lr = config.lr
        start = 1.0 if config.schedule == "plateau" else 0.0
        self.schedule = LrSchedule(config.schedule, (Anchor(0, total_steps, start),))
        self.optimizer = build_optimizer(config, self._new_groups(0, warmup=config.warmup_steps))
        self.set_rates(0)

    def sync(self, step: int) -> None:
        """Take in what began to train and let go of what was frozen, with its state; the rest keeps all it has."""
        groups = self.optimizer.param_groups
        for group in groups:
            kept = [(n, p) for n, p in zip(group["names"], group["params"], strict=True) if p.requires_grad]
            for parameter in group["params"]:
                if not parameter.requires_grad:
                    self.optimizer.state.pop(parameter, None)
            group["names"], group["params"] = [n for n, _ in kept], [p for _, p in kept]
        groups[:] = [group for group in groups if group["params"]]
        for group in self._new_groups(step, warmup=JOIN_WARMUP):
            self.optimizer.add_param_group(group)
        self.set_rates(step)

    def set_rates(self, step: int) -> None:
        """Give every group its learning rate for the batch ``step``, counted from 0."""
        multiplier = self.base_lr * self.schedule.multiplier(step)
        for group in self.optimizer.param_groups:
            since = step - group["joined"]
            warm = min(1.0, (since + 1) / group["warmup"]) if group["warmup"] else 1.0
            group["lr"] = multiplier * self._scale(group["stage"]) * warm

    def lower_on_plateau(self, val_losses: Sequence[float], step: int, batches: int) -> str:
        """Lower the rate if validation loss has not become better for long enough, and say so; else nothing.

        ``val_losses`` are those of all epochs, of ``batches`` batches each, ``step`` is how many there were in all.
        """
        since = len(val_losses) - 1 - val_losses.index(min(val_losses))
        waited = min(since, (step - self.schedule.anchors[-1].step) // batches)
        if self._config.schedule != "plateau" or waited < PLATEAU_EPOCHS:
            return ""
        self.schedule = self.schedule.lowered(step)
        return f"no better validation loss for {waited} epochs: learning rate x {self.schedule.multiplier(step):.3g}"

    @property
    def head_lr(self) -> float:
        """The head's learning rate as it was last set."""
        return float(next(group["lr"] for group in self.optimizer.param_groups if group["stage"] < 0))

    def rates(self) -> dict[str, tuple[float, ...]]:
        """The learning rates of every parameter by name, one for each group that holds it: none where it is in none."""
        held: dict[int, tuple[float, ...]] = {}
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                held[id(parameter)] = (*held.get(id(parameter), ()), float(group["lr"]))
        return {name: held.get(id(parameter), ()) for name, parameter in self._model.named_parameters()}

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue, made of tensors and plain containers."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "base_lr": self.base_lr,
            "anchors": [[a.step, a.horizon, a.value] for a in self.schedule.anchors],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from :meth:`state_dict`; the same parameters must be trainable as when it was taken."""
        parameters = dict(self._model.named_parameters())
        saved = state["optimizer"]
        self.optimizer.param_groups[:] = [
            {**group, "params": [parameters[name] for name in group["names"]]} for group in saved["param_groups"]
        ]
        self.optimizer.load_state_dict(saved)
        self.base_lr = state["base_lr"]
        self.schedule = replace(
            self.schedule, anchors=tuple(Anchor(int(s), int(h), float(v)) for s, h, v in state["anchors"])
        )

    def _new_groups(self, step: int, warmup: int) -> list[dict[str, Any]]:
        held = {id(p) for group in self._groups_so_far() for p in group["params"]}
        by_stage: dict[int, list[tuple[str, nn.Parameter]]] = {}
        for name, parameter in self._model.named_parameters():
            if parameter.requires_grad and id(parameter) not in held:
                head = name not in self._freezing.trainable
                by_stage.setdefault(-1 if head else self._freezing.stage_of(name), []).append((name, parameter))
        return [
            {
                "params": [p for _, p in by_stage[stage]],
                "names": [n for n, _ in by_stage[stage]],
                "stage": stage,
                "joined": step,
                "warmup": warmup,
            }
            for stage in sorted(by_stage)
        ]

    def _groups_so_far(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups if hasattr(self, "optimizer") else []

    def _scale(self, stage: int) -> float:
        if stage < 0:
            return 1.0
        depth = len(self._freezing.stages) - 1 - stage
        return self._config.backbone_lr_scale * self._config.lr_decay_per_stage ** max(0, depth)


def state_bytes(config: TrainConfig, parameters: Iterable[nn.Parameter]) -> int:
    """Bytes of optimizer state for these parameters, once each has been updated.

    Adam keeps two moments and a step count, a float32, for each; SGD a momentum buffer, if there is momentum.
    """
    if config.optimizer == "sgd":
        return sum(p.nbytes for p in parameters) if config.momentum else 0
    return sum(2 * p.nbytes + torch.float32.itemsize for p in parameters)


def build_optimizer(config: TrainConfig, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """A new optimizer of the configured kind over these parameter groups."""
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr, weight_decay=config.weight_decay)
