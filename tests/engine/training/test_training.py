"""Whole runs: equal to a plain PyTorch loop, frozen means frozen, commands obeyed, failures said."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional as F

from fxtui.config import RunConfig, parse_config
from fxtui.engine.checkpoints.files import load_checkpoint
from fxtui.engine.data.batch_order import epoch_batches
from fxtui.machine.cpu import cpu_count
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from tests.engine.plain_loop import pixels, rows_of
from tests.engine.runs import Outcome, carry_out, tiny_config

DEMO = {
    "name": "demo",
    "device": "cpu",
    "data": {"source": "digits", "limit": 300, "image_size": 64},
    "model": {"backbone": "efficientnet_lite0"},
    "train": {"epochs": 5, "precision": "fp32", "backbone_lr_scale": 1.0},
}


def plain_losses(config: RunConfig, trainable: tuple[str, ...]) -> tuple[list[float], list[float], nn.Module]:
    """The loop one would have written: whole model, every image, every epoch. Losses by epoch, train and validation."""
    # Sums over another number of threads round differently, and train-mode BatchNorm makes much of it.
    torch.set_num_threads(cpu_count())
    images, model = rows_of(config)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter.requires_grad or name.startswith(trainable or ("\0",)))
    train = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(train, lr=config.train.lr, weight_decay=config.train.weight_decay)
    everything = pixels(images, np.arange(len(images)))
    labels = torch.from_numpy(images.labels)
    torch.manual_seed(config.seed)
    train_losses, val_losses = [], []
    for epoch in range(config.train.epochs):
        model.train()
        for module in model.modules():
            parameters = list(module.parameters())
            if parameters and not any(p.requires_grad for p in parameters):
                module.eval()
        total = 0.0
        for rows in epoch_batches(images.train, config.seed, epoch, config.train.batch_size):
            loss = F.cross_entropy(model(everything[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        train_losses.append(total / len(images.train))
        model.eval()
        with torch.no_grad():
            val_losses.append(F.cross_entropy(model(everything[images.val]), labels[images.val]).item())
    return train_losses, val_losses, model


def losses(outcome: Outcome) -> tuple[list[float], list[float]]:
    epochs = outcome.of(ev.EpochEnd)
    return [e.train_loss for e in epochs], [e.val_loss for e in epochs]


def test_the_demo_equals_a_plain_loop(tmp_path: Path) -> None:
    config = parse_config(DEMO, [])
    outcome = carry_out(config, tmp_path)
    train, val, _ = plain_losses(config, ())
    assert outcome.state.phase == "finished"
    assert losses(outcome)[0] == pytest.approx(train, abs=1e-5)
    assert losses(outcome)[1] == pytest.approx(val, abs=1e-5)


@pytest.mark.parametrize("trainable", [("layer3",), ("layer2", "layer3"), ("conv1", "bn1", "layer")])
def test_unfrozen_stages_equal_a_plain_loop(tmp_path: Path, trainable: tuple[str, ...]) -> None:
    names = {"layer": ["layer1", "layer2", "layer3"]}
    paths = [path for name in trainable for path in names.get(name, [name])]
    config = tiny_config(f"freeze.trainable={','.join(paths)}", "train.epochs=5", "train.weight_decay=0.01")
    outcome = carry_out(config, tmp_path)
    train, val, model = plain_losses(config, trainable)
    assert losses(outcome)[0] == pytest.approx(train, abs=1e-5)
    assert losses(outcome)[1] == pytest.approx(val, abs=1e-5)
    tensors, _, _ = load_checkpoint(outcome.run, "last")
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensors[name], tensor, rtol=1e-3, atol=1e-4)


def test_the_head_is_as_good_as_logistic_regression(tmp_path: Path) -> None:
    config = parse_config(DEMO, ["train.epochs=60", "data.limit=600"])
    outcome = carry_out(config, tmp_path)
    images, model = rows_of(config)
    reads: list[torch.Tensor] = []
    model.get_submodule("classifier.1").register_forward_pre_hook(lambda _, inputs: reads.append(inputs[0]))
    with torch.inference_mode():
        model.eval()(pixels(images, np.arange(len(images))))
    features = reads[0].numpy()
    reference = LogisticRegression(max_iter=2000).fit(features[images.train], images.labels[images.train])
    accuracy = reference.score(features[images.val], images.labels[images.val])
    finished = outcome.state.finished
    assert finished is not None
    assert finished.best is not None
    # One image of validation is 0.83 points: "within a point" means at most one image fewer.
    assert finished.best.val_accuracy >= accuracy - 0.01


@pytest.mark.parametrize("trainable", ["", "layer3"])
def test_a_frozen_layer_does_not_move(tmp_path: Path, trainable: str) -> None:
    config = tiny_config(f"freeze.trainable={trainable}", "train.weight_decay=0.1", "train.optimizer=sgd")
    _, before = rows_of(config)
    outcome = carry_out(config, tmp_path)
    tensors, _, _ = load_checkpoint(outcome.run, "last")
    moved = {name for name, tensor in before.state_dict().items() if not torch.equal(tensor, tensors[name])}
    expected = {"fc.weight", "fc.bias"}
    if trainable:
        expected |= {name for name, _ in before.named_parameters() if name.startswith(trainable)}
        expected |= {name for name, _ in before.named_buffers() if name.startswith(trainable)}
    assert moved == expected


def test_frozen_batchnorm_moves_only_where_asked(tmp_path: Path) -> None:
    config = tiny_config("freeze.batchnorm=live", "train.epochs=1")
    _, before = rows_of(config)
    tensors, _, _ = load_checkpoint(carry_out(config, tmp_path).run, "last")
    moved = {name for name, tensor in before.state_dict().items() if not torch.equal(tensor, tensors[name])}
    statistics = {name for name, _ in before.named_buffers()}
    assert moved == statistics | {"fc.weight", "fc.bias"}


def test_the_same_run_twice_gives_the_same_numbers(tmp_path: Path) -> None:
    first, second = (losses(carry_out(tiny_config("freeze.trainable=layer3"), tmp_path)) for _ in range(2))
    assert first == second


def test_with_and_without_cache_the_numbers_agree(tmp_path: Path) -> None:
    cached = carry_out(tiny_config("freeze.trainable=layer3"), tmp_path)
    live = carry_out(tiny_config("freeze.trainable=layer3", "cache.enabled=false"), tmp_path)
    assert [e.where for e in cached.of(ev.CacheReady)] == ["host"]
    assert [e.where for e in live.of(ev.CacheReady)] == ["none"]
    assert "the cache is off" in live.of(ev.CacheReady)[0].note
    assert losses(cached)[0] == pytest.approx(losses(live)[0], abs=1e-5)
    assert losses(cached)[1] == pytest.approx(losses(live)[1], abs=1e-5)


def test_the_stages_carry_their_shapes(tmp_path: Path) -> None:
    outcome = carry_out(tiny_config(), tmp_path)
    shapes = {event.stage: event.shape_out for event in outcome.of(ev.PipelineStage)}
    assert shapes == {
        "images": (150, 3, 32, 32),
        "preprocess": (150, 3, 32, 32),
        "features": (150, 16),
        "train": (120, 10),
        "validate": (30, 10),
    }
    assert {stage: outcome.state.stage_mark(stage) for stage in ev.STAGES} == dict.fromkeys(ev.STAGES, "done")


def unfreeze_at(epoch: int, *commands: cmd.AnyCommand) -> object:
    waiting = list(commands)

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        if isinstance(event, ev.EpochEnd) and event.epoch >= epoch and waiting:
            return waiting.pop(0)
        return None

    return react


def test_layers_thaw_and_freeze_while_it_trains(tmp_path: Path) -> None:
    react = unfreeze_at(1, cmd.UnfreezeNext(), cmd.UnfreezeNext(), cmd.Undo(), cmd.FreezeAll())
    outcome = carry_out(tiny_config("train.epochs=40"), tmp_path, react)  # type: ignore[arg-type]
    changes = outcome.of(ev.FreezeChanged)
    assert [change.after for change in changes] == [("layer3",), ("layer2", "layer3"), ("layer3",), ()]
    assert [change.origin for change in changes] == ["unfreeze_next", "unfreeze_next", "undo", "freeze_all"]
    assert outcome.state.phase == "finished"
    assert len(outcome.of(ev.EpochEnd)) == 40
    for change in changes:
        for row in change.rows:
            assert row.fault == ""
            assert row.trainable == row.in_optimizer
    steps = [event.step for event in outcome.of(ev.EpochEnd)]
    assert steps == [8 * (i + 1) for i in range(40)]


def test_a_cache_from_before_training_is_not_taken_for_one_after(tmp_path: Path) -> None:
    """Freezing a layer that has trained must compute its features anew, from its new weights."""
    react = unfreeze_at(1, cmd.UnfreezeNext(), cmd.FreezeAll())
    outcome = carry_out(tiny_config("train.epochs=20"), tmp_path, react)  # type: ignore[arg-type]
    assert [event.reused for event in outcome.of(ev.CacheReady)] == [False, False, False]
    config = tiny_config()
    images, model = rows_of(config)
    tensors, _, _ = load_checkpoint(outcome.run, "last")
    model.load_state_dict(tensors)
    with torch.inference_mode():
        logits = model.eval()(pixels(images, images.val))
    loss = F.cross_entropy(logits, torch.from_numpy(images.labels[images.val])).item()
    assert outcome.of(ev.EpochEnd)[-1].val_loss == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (cmd.SetTrainable(paths=("layr3",), value=True), "layr3: no such layer; did you mean layer3?"),
        (cmd.SetTrainable(paths=("fc",), value=False), "fc: the head always trains"),
        (cmd.FreezeAll(), "nothing to change: that is how it is now"),
        (cmd.Undo(), "nothing to undo: the freezing has not been changed"),
        (cmd.Resume(), "not paused"),
        (cmd.SetLr(lr=-1.0), "learning rate -1.0: expected a number above 0"),
        (cmd.SetEpochs(epochs=0), "0 epochs: epoch"),
    ],
    ids=lambda value: value.name if isinstance(value, cmd.Command) else "",
)
def test_refused_commands_say_why_and_change_nothing(tmp_path: Path, command: cmd.AnyCommand, reason: str) -> None:
    sent: list[bool] = []

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        if isinstance(event, ev.EpochEnd) and not sent:
            sent.append(True)
            return command
        return None

    config = tiny_config("train.epochs=12")
    outcome = carry_out(config, tmp_path, react)
    refusals = outcome.of(ev.CommandRefused)
    assert [refusal.command for refusal in refusals] == [command.name]
    assert refusals[0].reason.startswith(reason)
    assert outcome.of(ev.FreezeChanged) == []
    assert losses(outcome) == losses(carry_out(config, tmp_path))


def test_pause_waits_saves_and_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    def react(event: ev.Event) -> cmd.AnyCommand | None:
        if isinstance(event, ev.EpochEnd) and event.epoch == 1:
            return cmd.Pause()
        if isinstance(event, ev.CheckpointSaved) and event.val_accuracy is None:
            return cmd.Resume()
        return None

    config = tiny_config("train.epochs=30", "freeze.trainable=layer3")
    outcome = carry_out(config, tmp_path, react)
    assert len(outcome.of(ev.RunPaused)) == len(outcome.of(ev.RunResumed)) == 1
    assert losses(outcome) == losses(carry_out(config, tmp_path))


def test_stop_after_this_epoch(tmp_path: Path) -> None:
    react = unfreeze_at(2, cmd.Stop())
    outcome = carry_out(tiny_config("train.epochs=200"), tmp_path, react)  # type: ignore[arg-type]
    finished = outcome.state.finished
    assert finished is not None
    assert finished.status == "stopped"
    assert finished.exit_status == 0
    assert 2 <= len(outcome.of(ev.EpochEnd)) < 200
    assert finished.final is not None
    assert finished.final.epoch == len(outcome.of(ev.EpochEnd))
    assert load_checkpoint(outcome.run, "last")[2].epoch == finished.final.epoch


def test_interrupted_is_saved(tmp_path: Path) -> None:
    react = unfreeze_at(2, cmd.Stop(when="now", interrupted=True))
    outcome = carry_out(tiny_config("train.epochs=200"), tmp_path, react)  # type: ignore[arg-type]
    finished = outcome.state.finished
    assert finished is not None
    assert (finished.status, finished.exit_status) == ("stopped", 130)
    assert load_checkpoint(outcome.run, "last")[2].step == outcome.state.checkpoints["last"].step


def test_more_and_fewer_epochs_and_another_rate(tmp_path: Path) -> None:
    react = unfreeze_at(1, cmd.SetEpochs(epochs=60), cmd.SetLr(lr=0.0005), cmd.SetEpochs(epochs=50))
    outcome = carry_out(tiny_config("train.epochs=40"), tmp_path, react)  # type: ignore[arg-type]
    epochs = outcome.of(ev.EpochEnd)
    assert len(epochs) == 50
    assert epochs[0].lr == pytest.approx(0.001)
    assert epochs[-1].lr == pytest.approx(0.0005)
    assert outcome.state.epochs_planned == 50


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    outcome = carry_out(tiny_config("train.lr=1e30", "train.optimizer=sgd", "freeze.trainable=layer3"), tmp_path)
    finished = outcome.state.finished
    assert finished is not None
    assert (finished.status, finished.exit_status) == ("failed", 1)
    assert "learning rate 1e+30 is likely too high, try 1e+29" in finished.reason
    assert all(event.loss is None or math.isfinite(event.loss) for event in outcome.of(ev.BatchEnd))


def test_the_last_good_checkpoint_is_kept_when_the_loss_explodes(tmp_path: Path) -> None:
    react = unfreeze_at(2, cmd.SetLr(lr=1e30))
    config = tiny_config("train.epochs=100", "train.optimizer=sgd", "freeze.trainable=layer3")
    outcome = carry_out(config, tmp_path, react)  # type: ignore[arg-type]
    finished = outcome.state.finished
    assert finished is not None
    assert finished.status == "failed"
    assert finished.final is not None
    tensors, _, info = load_checkpoint(outcome.run, "last")
    assert info.epoch == finished.final.epoch
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values() if tensor.is_floating_point())


def test_untraceable_models_train_from_a_cache_at_the_head(tmp_path: Path) -> None:
    outcome = carry_out(tiny_config("model.backbone=tests.engine.models:untraceable"), tmp_path)
    ready = outcome.of(ev.CacheReady)
    assert [event.where for event in ready] == ["host"]
    assert "torch.fx cannot cut this model" in ready[0].note
    assert outcome.state.phase == "finished"


def test_a_failure_inside_the_model_is_one_line(tmp_path: Path) -> None:
    outcome = carry_out(
        tiny_config("model.backbone=tests.engine.models:tiny_transformer", "data.image_size=40"), tmp_path
    )
    finished = outcome.state.finished
    assert finished is not None
    assert finished.exit_status == 2
    assert finished.reason.startswith("data.image_size = 40: tests.engine.models:tiny_transformer does not take images")
    assert "\n" not in finished.reason


def test_live_state_equals_the_replayed_journal(tmp_path: Path) -> None:
    react = unfreeze_at(1, cmd.UnfreezeNext(), cmd.SetLr(lr=0.002))
    outcome = carry_out(tiny_config("train.epochs=12"), tmp_path, react)  # type: ignore[arg-type]
    assert outcome.run.load_state() == outcome.state
