"""Every option of training, through whole runs: equal to a plain PyTorch loop that does the same."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from tests.engine.parity import agree, check_split_batches
from tests.engine.plain_loop import learn
from tests.engine.runs import carry_out, tiny_config

BATCHES = 8  # 120 images, 16 at a time, the last eight alone


@pytest.mark.parametrize(
    "overrides",
    [
        ("train.grad_clip=0.3", "train.lr=0.01"),
        ("train.grad_clip=0.3", "train.optimizer=sgd", "train.lr=0.05", "freeze.trainable=layer3"),
        ("train.label_smoothing=0.2",),
        ("train.weight_decay=0.3", "train.lr=0.01"),
        ("train.weight_decay=0.3", "train.lr=0.01", "train.optimizer=adam"),
        ("train.weight_decay=0.05", "train.lr=0.02", "train.optimizer=sgd", "freeze.trainable=layer3"),
        ("train.optimizer=sgd", "train.momentum=0.5", "train.lr=0.05"),
        ("train.optimizer=sgd", "train.momentum=0.0", "train.lr=0.05"),
        ("freeze.batchnorm=frozen", "freeze.trainable=layer2,layer3"),
    ],
    ids=lambda overrides: " ".join(overrides),
)
def test_an_option_equals_the_plain_loop(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    config = tiny_config(*overrides)
    agree(carry_out(config, tmp_path), learn(config))


@pytest.mark.parametrize("more", ["train.label_smoothing=0.0", "train.label_smoothing=0.2"])
def test_balanced_class_weights(tmp_path: Path, unbalanced: Path, more: str) -> None:
    config = tiny_config(f"data.source={unbalanced}", "data.limit=0", "train.class_weights=balanced", more)
    agree(carry_out(config, tmp_path), learn(config))


def test_warm_up(tmp_path: Path) -> None:
    config = tiny_config("train.warmup_steps=13", "train.lr=0.01", "freeze.trainable=layer3")
    agree(carry_out(config, tmp_path), learn(config, lambda step: min(1.0, (step + 1) / 13)))


def cosine(p: float) -> float:
    return (1 + math.cos(math.pi * p)) / 2


def one_cycle(p: float) -> float:
    """Up from 1/25 over the first 30 %, down to 1/250,000 over the rest, both along a cosine."""
    if p < 0.3:
        return 1 - (1 - 1 / 25) * cosine(p / 0.3)
    return 1 / 25e4 + (1 - 1 / 25e4) * cosine((p - 0.3) / 0.7)


SCHEDULES = {"cosine": cosine, "onecycle": one_cycle}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules(tmp_path: Path, schedule: str) -> None:
    config = tiny_config(f"train.schedule={schedule}", "train.lr=0.01", "train.epochs=4")
    shape = SCHEDULES[schedule]
    agree(carry_out(config, tmp_path), learn(config, lambda step: shape(step / (4 * BATCHES))))


@pytest.mark.parametrize("epochs", [24, 14])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_another_number_of_epochs_stretches_the_schedule_from_where_it_is(
    tmp_path: Path, schedule: str, epochs: int
) -> None:
    """Paused, so that it is known at which step the command is carried out."""
    paused: list[int] = []

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        match event:
            case ev.EpochEnd(epoch=2):
                return cmd.Pause()
            case ev.RunPaused():
                paused.append(event.step)
                return cmd.SetEpochs(epochs=epochs)
            case ev.EpochsChanged():
                return cmd.Resume()
        return None

    config = tiny_config(f"train.schedule={schedule}", "train.lr=0.01", "train.epochs=20")
    outcome = carry_out(config, tmp_path, react)
    (at,) = paused
    before = at / (20 * BATCHES)

    def rate(step: int) -> float:
        p = step / (20 * BATCHES) if step < at else before + (1 - before) * (step - at) / (epochs * BATCHES - at)
        return SCHEDULES[schedule](p)

    agree(outcome, learn(config, rate, epochs=epochs))


def test_plateau(tmp_path: Path) -> None:
    """A third of the rate after three epochs without a better validation loss, as torch's own scheduler has it."""
    small = ("model.backbone=tests.engine.models:undemanding", "freeze.trainable=hidden")
    config = tiny_config("train.schedule=plateau", "train.lr=0.03", "train.epochs=20", *small)
    schedulers: list[torch.optim.lr_scheduler.ReduceLROnPlateau] = []

    def after_epoch(optimizer: torch.optim.Optimizer, loss: float) -> None:
        if not schedulers:
            schedulers.append(
                torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=2, threshold=0.0)
            )
        schedulers[0].step(loss)

    expected = learn(config, after_epoch=after_epoch)
    outcome = carry_out(config, tmp_path)
    agree(outcome, expected)
    lowered = [event.text for event in outcome.of(ev.RunWarning)]
    assert len(lowered) == sum(a != b for a, b in zip(expected.lr, expected.lr[1:], strict=False)) > 1
    assert all("no better validation loss for 3 epochs: learning rate x" in text for text in lowered)


def test_early_stop(tmp_path: Path) -> None:
    config = tiny_config("train.early_stop=3", "train.lr=0.01", "train.epochs=60")
    expected = learn(config)
    best = 0
    last = next(
        epoch
        for epoch, accuracy in enumerate(expected.accuracy)
        if (best := epoch if accuracy > expected.accuracy[best] or not epoch else best) + 3 == epoch
    )
    assert last < 59
    outcome = carry_out(config, tmp_path)
    finished = outcome.state.finished
    assert finished is not None
    assert (finished.status, finished.exit_status) == ("finished", 0)
    assert finished.reason == f"no better epoch than {best + 1} for 3 epochs"
    assert [e.val_loss for e in outcome.of(ev.EpochEnd)] == pytest.approx(expected.val[: last + 1], abs=1e-5)


@pytest.mark.parametrize("more", ["train.lr=0.01", "train.grad_clip=0.1", "train.label_smoothing=0.1"])
@pytest.mark.parametrize("factory", ["demanding", "demanding_later"])
def test_out_of_memory_goes_on_with_smaller_parts(tmp_path: Path, unbalanced: Path, factory: str, more: str) -> None:
    """Sixteen images are too many, eight are not: said once, and the numbers are those of whole batches."""
    check_split_batches(tmp_path, unbalanced, factory, more)
