"""Parameter groups come and go; rates are a function of the step."""

from __future__ import annotations

import copy

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from fxtui.config import TrainConfig
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.optimization.lr_schedule import Anchor, LrSchedule
from fxtui.engine.optimization.optimizer import JOIN_WARMUP, Optimization
from tests.engine.models import TinyResNet

STAGES = ("conv1", "bn1", "layer1", "layer2", "layer3")


def made(config: TrainConfig, total: int = 100) -> tuple[TinyResNet, Freezing, Optimization]:
    model = TinyResNet()
    freezing = Freezing(model, "fc", STAGES)
    freezing.apply()
    return model, freezing, Optimization(model, freezing, config, total)


def step(model: TinyResNet, optimization: Optimization) -> None:
    optimization.optimizer.zero_grad()
    F.cross_entropy(model(torch.randn(4, 3, 32, 32)), torch.arange(4)).backward()
    optimization.optimizer.step()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["layer3", "layer2.0", "layer1.0.bn1", "conv1", "", "none"]), max_size=6))
def test_every_trainable_parameter_is_in_exactly_one_group(moves: list[str]) -> None:
    model, freezing, optimization = made(TrainConfig())
    for number, move in enumerate(moves):
        freezing.trainable = frozenset() if move == "none" else freezing.trainable ^ freezing.resolve([move])
        freezing.apply()
        optimization.sync(number)
        step(model, optimization)
        held = [id(p) for group in optimization.optimizer.param_groups for p in group["params"]]
        assert len(held) == len(set(held))
        assert set(held) == {id(p) for p in model.parameters() if p.requires_grad}
        assert {id(p) for p in optimization.optimizer.state} <= set(held)
        assert all(len(group["names"]) == len(group["params"]) for group in optimization.optimizer.param_groups)


def test_what_goes_on_training_keeps_its_state_and_what_is_frozen_loses_it() -> None:
    model, freezing, optimization = made(TrainConfig())
    step(model, optimization)
    before = copy.deepcopy(optimization.optimizer.state[model.fc.weight])
    freezing.change_to(freezing.resolve(["layer3"]))
    optimization.sync(1)
    torch.testing.assert_close(optimization.optimizer.state[model.fc.weight], before)
    step(model, optimization)
    assert len(optimization.optimizer.state) > 2
    freezing.change_to(frozenset())
    optimization.sync(2)
    assert set(optimization.optimizer.state) == {model.fc.weight, model.fc.bias}


def rate(optimization: Optimization, name: str) -> float:
    (only,) = optimization.rates()[name]
    return only


def test_rates_fall_with_depth_and_warm_up_on_joining() -> None:
    _, freezing, optimization = made(TrainConfig(lr=1.0, backbone_lr_scale=0.1, lr_decay_per_stage=0.5))
    freezing.change_to(freezing.resolve(["layer3", "layer2"]))
    optimization.sync(10)
    assert rate(optimization, "fc.weight") == 1.0
    assert rate(optimization, "layer3.0.conv1.weight") == pytest.approx(0.1 / JOIN_WARMUP)
    assert optimization.rates()["layer1.0.conv1.weight"] == ()
    optimization.set_rates(10 + JOIN_WARMUP)
    assert rate(optimization, "layer3.0.conv1.weight") == pytest.approx(0.1)
    assert rate(optimization, "layer2.0.weight") == pytest.approx(0.05)


@pytest.mark.parametrize(("kind", "start", "middle", "end"), [("cosine", 1.0, 0.5, 0.0), ("constant", 1.0, 1.0, 1.0)])
def test_schedules(kind: str, start: float, middle: float, end: float) -> None:
    schedule = LrSchedule(kind, (Anchor(0, 100, 0.0),))  # type: ignore[arg-type]
    assert [schedule.multiplier(at) for at in (0, 50, 100)] == pytest.approx([start, middle, end])


def test_one_cycle_rises_then_falls() -> None:
    schedule = LrSchedule("onecycle", (Anchor(0, 100, 0.0),))
    values = [schedule.multiplier(at) for at in range(101)]
    assert values[0] == pytest.approx(1 / 25)
    assert max(values) == pytest.approx(1.0)
    assert values.index(max(values)) == 30
    assert values[-1] == pytest.approx(1 / 25e4)


@given(st.integers(0, 99), st.integers(100, 500), st.sampled_from(["cosine", "onecycle"]))
def test_another_horizon_makes_no_jump(at: int, total: int, kind: str) -> None:
    schedule = LrSchedule(kind, (Anchor(0, 100, 0.0),))  # type: ignore[arg-type]
    changed = schedule.rescaled(at, total)
    assert changed.multiplier(at) == pytest.approx(schedule.multiplier(at))
    assert changed.progress(total) == pytest.approx(1.0)
    assert [changed.multiplier(s) for s in range(at)] == [schedule.multiplier(s) for s in range(at)]


@pytest.mark.parametrize("kind", ["adamw", "adam", "sgd"])
def test_state_goes_through_a_checkpoint(kind: str) -> None:
    config = msgspec.convert({"optimizer": kind, "schedule": "cosine"}, TrainConfig)
    model, freezing, optimization = made(config)
    freezing.change_to(freezing.resolve(["layer3"]))
    optimization.sync(3)
    step(model, optimization)
    saved = copy.deepcopy(optimization.state_dict())
    again = Optimization(model, freezing, config, 100)
    again.load_state_dict(saved)
    ours, theirs = again.optimizer.state_dict(), optimization.optimizer.state_dict()
    torch.testing.assert_close(ours["state"], theirs["state"], rtol=0, atol=0)
    assert ours["param_groups"] == theirs["param_groups"]
    again.set_rates(7)
    optimization.set_rates(7)
    assert again.rates() == optimization.rates()
