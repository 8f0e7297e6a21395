"""Any sequence of commands, on real models: equal to the plain loop, frozen means frozen, the frontier minimal."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.config import TrainConfig
from fxtui.engine.backbones.heads import find_head
from fxtui.engine.backbones.stages import find_stages
from fxtui.engine.features.feeds import Batch, per_image
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.frontier.cut import cut_model
from fxtui.engine.optimization.optimizer import Optimization
from fxtui.engine.optimization.step import Stepper
from fxtui.protocol.commands import CommandRefusedError
from tests.engine.invariants import (
    check_freezing,
    check_minimal,
    check_modes,
    check_parts,
    check_still,
    head_names,
    plain_modes,
    snapshot,
)
from tests.engine.models import TinyDense, TinyResNet, TinyTransformer

MODELS: dict[str, Callable[[], nn.Module]] = {"resnet": TinyResNet, "transformer": TinyTransformer, "dense": TinyDense}
PATTERNS = ["*.bn*", "*norm*", "*.bias", "*.conv?", "*1"]
TOTAL = 40


def paths(name: str) -> list[str]:
    """Modules at any depth, single parameters, and patterns."""
    model = MODELS[name]()
    return [*(n for n, _ in model.named_modules() if n), *(n for n, _ in model.named_parameters()), *PATTERNS]


def commands(name: str) -> st.SearchStrategy[list[tuple[str, ...]]]:
    path = st.sampled_from(paths(name))
    one = st.one_of(
        st.tuples(st.just("trainable"), path, path),
        st.tuples(st.just("trainable"), path),
        st.tuples(st.just("frozen"), path),
        st.sampled_from([("unfreeze_next",), ("freeze_all",), ("unfreeze_all",), ("undo",)]),
    )
    return st.lists(one, min_size=1, max_size=6)


CONFIGS = st.fixed_dictionaries(
    {
        "precision": st.just("fp32"),
        "lr": st.just(0.01),
        "optimizer": st.sampled_from(["adamw", "adam", "sgd"]),
        "weight_decay": st.sampled_from([0.0, 0.1]),
        "schedule": st.sampled_from(["constant", "cosine"]),
        "backbone_lr_scale": st.sampled_from([1.0, 0.1]),
        "lr_decay_per_stage": st.sampled_from([1.0, 0.5]),
        "warmup_steps": st.sampled_from([0, 3]),
    }
)


class Plain:
    """The loop one would have written: the whole model in every batch, a group for each parameter."""

    def __init__(self, model: nn.Module, head: str, stages: tuple[str, ...], config: TrainConfig, bn: str) -> None:
        self.model = model
        self._head = head
        self._stages = stages
        self._config = config
        self._bn = bn
        self._joined: dict[str, tuple[int, int]] = {}
        kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}
        options = {"momentum": config.momentum} if config.optimizer == "sgd" else {}
        self._optimizer: torch.optim.Optimizer = kinds[config.optimizer](
            [nn.Parameter(torch.zeros(1))], lr=config.lr, weight_decay=config.weight_decay, **options
        )
        self._optimizer.param_groups.clear()
        self.train_only(frozenset(), 0, config.warmup_steps)

    def train_only(self, names: frozenset[str], step: int, warmup: int = 20) -> None:
        names |= head_names(self.model, self._head)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(name in names)
            if name in names and name not in self._joined:
                self._joined[name] = (step, warmup)
                self._optimizer.add_param_group({"params": [parameter], "name": name})
            elif name not in names and name in self._joined:
                del self._joined[name]
                self._optimizer.state.pop(parameter, None)
                self._optimizer.param_groups[:] = [g for g in self._optimizer.param_groups if g["name"] != name]

    def step(self, images: Tensor, labels: Tensor, step: int) -> float:
        plain_modes(self.model, self._bn)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(group["name"], step)
        self._optimizer.zero_grad()
        loss = F.cross_entropy(self.model(images), labels)
        loss.backward()
        self._optimizer.step()
        return loss.item()

    def _rate(self, name: str, step: int) -> float:
        config = self._config
        joined, warmup = self._joined[name]
        rate = config.lr * (min(1.0, (step - joined + 1) / warmup) if warmup else 1.0)
        if config.schedule == "cosine":
            rate *= (1 + math.cos(math.pi * step / TOTAL)) / 2
        if name.startswith(self._head + "."):
            return rate
        stage = next((i for i, path in enumerate(self._stages) if name.startswith(path + ".")), 0)
        return rate * config.backbone_lr_scale * config.lr_decay_per_stage ** (len(self._stages) - 1 - stage)


@dataclass
class Training:
    """The engine's parts on one model, next to the plain loop on a copy of it."""

    model: nn.Module
    freezing: Freezing
    optimization: Optimization
    stepper: Stepper
    plain: Plain
    batchnorm: str
    images: Tensor
    labels: Tensor
    done: int = 0

    @classmethod
    def of(cls, name: str, config: TrainConfig, batchnorm: str) -> Training:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = MODELS[name]().double()
            images, labels = torch.randn(12, 3, 32, 32, dtype=torch.float64), torch.arange(12) % 5
        head = find_head(model, name)
        stages = find_stages(model, head)
        plain = Plain(copy.deepcopy(model), head, stages, config, batchnorm)
        freezing = Freezing(model, head, stages, batchnorm)  # type: ignore[arg-type]
        freezing.apply()
        optimization = Optimization(model, freezing, config, TOTAL)
        stepper = Stepper(optimization, config, torch.device("cpu"), None, pytest.fail)
        return cls(model, freezing, optimization, stepper, plain, batchnorm, images, labels)

    def change(self, command: tuple[str, ...]) -> None:
        """Carry out a command on both sides, as the engine does: all or nothing."""
        freezing, before = self.freezing, self.freezing.trainable
        try:
            match command:
                case ("undo",):
                    freezing.undo()
                case ("freeze_all",):
                    freezing.change_to(frozenset())
                case ("unfreeze_all",):
                    freezing.change_to(frozenset(freezing.backbone_names))
                case ("unfreeze_next",):
                    freezing.change_to(before | (freezing.next_stage() or frozenset()))
                case ("frozen", *some):
                    freezing.change_to(before - freezing.resolve(some))
                case (_, *some):
                    freezing.change_to(before | freezing.resolve(some))
        except CommandRefusedError:
            assert freezing.trainable == before
            return
        self.optimization.sync(self.done)
        self.plain.train_only(freezing.trainable, self.done)

    def train(self, steps: int) -> None:
        """Some steps from a cache of the frontier, each compared with the plain loop's."""
        cut = cut_model(self.model, self.freezing.head, self.images[:4])
        assert cut.note == ""
        self.check()
        check_parts(self.model, cut, self.images[:5])
        check_minimal(cut, self.images)
        before = snapshot(self.model)
        with torch.no_grad():
            cache = [per_image(output, spec) for output, spec in zip(cut.prefix(self.images), cut.tensors, strict=True)]
        for _ in range(steps):
            rows = (torch.arange(4) * 5 + self.done) % 12
            tensors = tuple(spec.arrange(kept[rows]) for kept, spec in zip(cache, cut.tensors, strict=True))
            torch.manual_seed(self.done)
            taken = self.stepper.gather(cut.train, Batch(tensors, self.labels[rows]))
            self.stepper.update(self.done)
            torch.manual_seed(self.done)
            expected = self.plain.step(self.images[rows], self.labels[rows], self.done)
            assert taken.loss.item() == pytest.approx(expected, abs=1e-5)
            self.done += 1
            self.check()
        check_still(self.model, before, self.batchnorm)

    def check(self) -> None:
        check_freezing(self.model, self.freezing, self.optimization)
        check_modes(self.model, self.batchnorm)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_sequence_of_commands_equals_the_plain_loop(name: str, data: st.DataObject) -> None:
    config = msgspec.convert(data.draw(CONFIGS), TrainConfig)
    batchnorm = data.draw(st.sampled_from(["follow", "follow", "frozen", "live"]))
    training = Training.of(name, config, batchnorm)
    with torch.random.fork_rng():
        training.train(1)
        for command in data.draw(commands(name)):
            training.change(command)
            training.train(data.draw(st.integers(0, 2)))
    torch.testing.assert_close(
        training.model.state_dict(), training.plain.model.state_dict(), rtol=1e-5, atol=1e-5, msg=lambda text: text
    )
