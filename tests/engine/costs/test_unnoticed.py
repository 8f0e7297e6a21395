"""Asking what a change would cost leaves no trace."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from fxtui.engine.checkpoints.files import load_checkpoint
from fxtui.engine.training.start import Training
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.protocol.commands import CommandRefusedError
from tests.engine.costs.watching import Watched, ask
from tests.engine.runs import tiny_config


@pytest.mark.parametrize(
    "options",
    [
        ("freeze.trainable=layer3", "train.accumulate=3"),
        ("train.accumulate=2", "train.optimizer=sgd"),
        ("freeze.trainable=layer2,layer3", "freeze.batchnorm=live"),
        ("cache.enabled=false", "freeze.trainable=layer3"),
        ("model.backbone=tests.engine.models:tiny_transformer", "freeze.trainable=blocks.1"),
    ],
)
def test_a_run_that_was_asked_equals_one_that_was_not(watched: Watched, options: tuple[str, ...]) -> None:
    config = tiny_config("train.epochs=2", *options)
    changes: list[cmd.FreezeCommand] = [cmd.UnfreezeNext(), cmd.FreezeAll(), cmd.UnfreezeAll()]
    estimates: list[ev.CostEstimated] = []

    def between(training: Training, step: int) -> bool:
        if step in (1, 2, 4, 7, 12):
            for change in changes:
                try:
                    estimates.append(ask(training, change))
                except CommandRefusedError:
                    assert isinstance(change, cmd.FreezeAll)
        return False

    (plain, _), (asked, _) = watched(config, lambda *_: False), watched(config, between)
    assert len(estimates) >= 10
    figures = [[(e.train_loss, e.val_loss, e.val_accuracy) for e in run.of(ev.EpochEnd)] for run in (plain, asked)]
    assert figures[0] == figures[1]
    (weights, state, _), (weights_asked, state_asked, _) = (load_checkpoint(run.run, "last") for run in (plain, asked))
    assert weights.keys() == weights_asked.keys()
    assert all(torch.equal(tensor, weights_asked[name]) for name, tensor in weights.items())
    assert torch.equal(state["random"]["cpu"], state_asked["random"]["cpu"])
    assert state["threads"] == state_asked["threads"]


def test_any_proposal_leaves_everything_as_it_was(watched: Watched) -> None:
    _, training = watched(
        tiny_config("train.epochs=1", "freeze.trainable=layer3", "train.precision=auto"), lambda *_: False
    )
    model, names = training.parts.run.model, list(training.parts.run.freezing.backbone_names)
    for parameter in model.parameters():
        # Also on frozen ones: whatever is there has to stay.
        parameter.grad = torch.randn_like(parameter)

    def everything() -> list[object]:
        optimizer = training.parts.optimization.optimizer
        return [
            [
                (name, p.requires_grad, p.grad, p.grad.clone())
                for name, p in model.named_parameters()
                if p.grad is not None
            ],
            [(name, module.training, sorted(vars(module))) for name, module in model.named_modules()],
            [(name, tensor.clone()) for name, tensor in model.state_dict().items()],
            torch.get_rng_state(),
            torch.get_num_threads(),
            copy.deepcopy(optimizer.state_dict()),
            (
                training.parts.run.freezing.trainable,
                list(training.parts.run.freezing.history),
                training.parts.boundary.cut,
                training.parts.boundary.feed,
            ),
            [key for key, _ in training.parts.boundary.bank._memory],
            copy.copy(training.parts.progress),
        ]

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sets(st.sampled_from(names), min_size=1), st.booleans())
    def check(paths: set[str], value: bool) -> None:
        before = everything()
        change = cmd.SetTrainable(paths=tuple(sorted(paths)), value=value)
        if (
            paths.isdisjoint(training.parts.run.freezing.trainable)
            if not value
            else paths <= training.parts.run.freezing.trainable
        ):
            with pytest.raises(CommandRefusedError, match="nothing to change"):
                ask(training, change)
        else:
            found = ask(training, change)
            assert found.then.trainable_parameters != found.now.trainable_parameters
        assert same(before, everything())

    check()


def same(one: object, other: object) -> bool:
    """Equality that looks into tensors."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one is other or one == other
