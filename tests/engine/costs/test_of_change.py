"""What a change would cost: the exact figures are those that come true."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fxtui.config import TrainConfig
from fxtui.engine import commands
from fxtui.engine.freezing.state import target_of
from fxtui.engine.optimization.optimizer import build_optimizer, state_bytes
from fxtui.engine.training.parts import TrainingParts
from fxtui.engine.training.questions import estimate_change
from fxtui.engine.training.start import Training
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from tests.engine.costs.watching import Watched, ask, held
from tests.engine.runs import carry_out, tiny_config

CHANGES = [
    pytest.param(cmd.UnfreezeNext(), "", id="next"),
    pytest.param(cmd.SetTrainable(paths=("layer2.1", "*.bn1"), value=True), "", id="patterns"),
    pytest.param(cmd.UnfreezeAll(), "layer3", id="all"),
    pytest.param(cmd.SetTrainable(paths=("layer3",), value=False), "layer2,layer3", id="less"),
    pytest.param(cmd.FreezeAll(), "layer2", id="none"),
]


@pytest.mark.parametrize(("change", "trainable"), CHANGES)
@pytest.mark.parametrize("options", [(), ("train.optimizer=sgd",), ("train.optimizer=sgd", "train.momentum=0")])
def test_exact_figures_come_true(
    watched: Watched, change: cmd.FreezeCommand, trainable: str, options: tuple[str, ...]
) -> None:
    found: list[ev.CostEstimated] = []

    def between(training: Training, step: int) -> bool:
        if step != 3:
            return False
        found.append(ask(training, change))
        state, gradients = held(training)
        assert (found[0].now.optimizer_bytes, found[0].now.gradient_bytes) == (state, gradients)
        training.freeze_change.to(target_of(change, training.parts.run.freezing), "test")
        return True

    config = tiny_config(f"freeze.trainable={trainable}", "train.epochs=1", *options)
    outcome, training = watched(config, between)
    now, then = found[0].now, found[0].then
    before, after = outcome.of(ev.CacheReady)
    changed = outcome.of(ev.FreezeChanged)[0]
    assert found[0].change == change.name
    assert found[0].after == changed.after
    assert (now.cache_bytes, now.cache_ready) == (before.bytes, True)
    assert then.trainable_parameters == changed.trainable_parameters
    assert (then.optimizer_bytes, then.gradient_bytes) == held(training)
    assert (then.cache_bytes, then.cache_ready) == (after.bytes, after.reused)
    for cost in (now, then):
        assert cost.seconds_per_epoch is not None
        assert cost.seconds_per_epoch > 0
        assert not cost.measured
        assert cost.measured_images == 4


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_the_cache_has_the_dtype_that_extraction_will_use(watched: Watched, precision: str) -> None:
    found: list[ev.CostEstimated] = []

    def between(training: Training, step: int) -> bool:
        if step == 1:
            found.append(ask(training, cmd.UnfreezeNext()))
            training.freeze_change.to(target_of(cmd.UnfreezeNext(), training.parts.run.freezing), "test")
        return step == 1

    outcome, _ = watched(tiny_config(f"train.precision={precision}", "train.epochs=1"), between)
    assert found[0].then.cache_bytes == outcome.of(ev.CacheReady)[1].bytes


def test_a_cache_that_is_there_is_found_and_one_that_trained_since_is_not(watched: Watched) -> None:
    ready: list[tuple[bool, bool]] = []

    def change(training: Training, asked: cmd.FreezeCommand) -> None:
        estimated = ask(training, asked).then.cache_ready
        if isinstance(asked, cmd.Undo):
            training.freeze_change.undo()
        else:
            training.freeze_change.to(target_of(asked, training.parts.run.freezing), "test")
        ready.append((estimated, said[-1]))

    said: list[bool] = []

    def between(training: Training, step: int) -> bool:
        if step == 1:
            emit = training.parts.boundary.bank._emit
            training.parts.boundary.bank._emit = lambda event: (
                said.append(event.reused) if isinstance(event, ev.CacheReady) else None,
                emit(event),
            )[-1]
            change(training, cmd.UnfreezeNext())
            change(training, cmd.Undo())
            change(training, cmd.UnfreezeNext())
        if step == 2:
            change(training, cmd.FreezeAll())
        return step in (1, 2)

    watched(tiny_config("train.epochs=1"), between)
    assert ready == [(False, False), (True, True), (True, True), (False, False)]


def test_a_cache_on_disk_is_found(watched: Watched) -> None:
    watched(tiny_config("freeze.trainable=layer3", "train.epochs=1"), lambda *_: False)
    found: list[ev.CostEstimated] = []

    def between(training: Training, step: int) -> bool:
        if step == 1:
            found.append(ask(training, cmd.UnfreezeNext()))
        return False

    watched(tiny_config("train.epochs=1"), between)
    assert found[0].then.cache_ready


@pytest.mark.parametrize("options", [("cache.enabled=false",), ("cache.max_gb=0.000001",)])
def test_without_a_cache_there_are_no_bytes_of_one(watched: Watched, options: tuple[str, ...]) -> None:
    found: list[ev.CostEstimated] = []

    def between(training: Training, step: int) -> bool:
        if step == 1:
            found.append(ask(training, cmd.UnfreezeNext()))
        return False

    watched(tiny_config("train.epochs=1", *options), between)
    for cost in (found[0].now, found[0].then):
        assert (cost.cache_bytes, cost.cache_ready) == (0, False)
        assert cost.seconds_per_epoch is not None


@pytest.mark.parametrize("backbone", ["tiny_resnet", "tiny_transformer", "untraceable"])
@pytest.mark.parametrize("everything", [False, True])
def test_activation_memory_is_what_a_training_step_keeps(watched: Watched, backbone: str, everything: bool) -> None:
    change: cmd.FreezeCommand = cmd.UnfreezeAll() if everything else cmd.UnfreezeNext()
    found: list[ev.CostEstimated] = []
    kept: list[int] = []

    def counted(training: Training) -> None:
        """Count, in every step from here on, the bytes behind every tensor that its graph saves."""
        known = {
            t.untyped_storage().data_ptr()
            for t in (*training.parts.run.model.parameters(), *training.parts.run.model.buffers())
        }
        take = training.parts.stepper._in_parts

        def counting(suffix: nn.Module, batch: object, share: float) -> object:
            storages: dict[int, torch.UntypedStorage] = {}

            def pack(tensor: Tensor) -> Tensor:
                storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                result = take(suffix, batch, share)  # type: ignore[arg-type]
            kept.append(sum(s.nbytes() for address, s in storages.items() if address not in known))
            return result

        training.parts.stepper._in_parts = counting  # type: ignore[assignment,method-assign]

    def between(training: Training, step: int) -> bool:
        if step == 1:
            found.append(ask(training, change))
            training.freeze_change.to(target_of(change, training.parts.run.freezing), "test")
            counted(training)
        return step == 1

    watched(tiny_config("train.epochs=1", f"model.backbone=tests.engine.models:{backbone}"), between)
    truth = max(kept)
    assert truth > 0
    assert truth / 1.3 <= found[0].then.activation_bytes <= truth * 1.3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (cmd.SetTrainable(paths=("layr3",), value=True), "layr3: no such layer; did you mean layer3?"),
        (cmd.SetTrainable(paths=("fc",), value=False), "fc: the head always trains"),
        (cmd.SetTrainable(paths=("layer3",), value=False), "nothing to change: that is how it is now"),
        (cmd.FreezeAll(), "nothing to change: that is how it is now"),
        (cmd.Undo(), "nothing to undo: the freezing has not been changed"),
    ],
)
def test_what_would_be_refused_is_refused(tmp_path: Path, change: cmd.FreezeCommand, reason: str) -> None:
    waiting = [cmd.Estimate(change=change), change]

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        return waiting.pop(0) if isinstance(event, ev.EpochEnd) and waiting else None

    outcome = carry_out(tiny_config("train.epochs=12"), tmp_path, react)
    refusals = outcome.of(ev.CommandRefused)
    assert [(refusal.command, refusal.reason) for refusal in refusals] == [("estimate", reason), (change.name, reason)]
    assert outcome.of(ev.CostEstimated) == []


def test_everything_trains_already_is_refused(tmp_path: Path) -> None:
    def react(event: ev.Event) -> cmd.AnyCommand | None:
        first = isinstance(event, ev.EpochEnd) and event.epoch == 1
        return cmd.Estimate(change=cmd.UnfreezeNext()) if first else None

    config = tiny_config("train.epochs=4", "freeze.trainable=conv1,bn1,layer1,layer2,layer3")
    reasons = [refusal.reason for refusal in carry_out(config, tmp_path, react).of(ev.CommandRefused)]
    assert reasons == ["nothing left to unfreeze: every layer trains"]


def test_a_command_is_answered_with_a_sentence_and_the_states_own_pace(tmp_path: Path) -> None:
    def react(event: ev.Event) -> cmd.AnyCommand | None:
        ended = isinstance(event, ev.EpochEnd) and event.epoch == 2
        return cmd.Estimate(change=cmd.UnfreezeNext()) if ended else None

    outcome = carry_out(tiny_config("train.epochs=30"), tmp_path, react)
    (found,) = outcome.of(ev.CostEstimated)
    assert found.now.measured
    assert not found.then.measured
    (done,) = outcome.of(ev.CommandDone)
    assert done.command == "estimate"
    assert done.text.startswith("layer3 would train: 9,344 more parameters, ≈")
    assert outcome.state.estimate == found
    assert outcome.of(ev.FreezeChanged) == []
    assert outcome.run.load_state() == outcome.state


def test_the_time_of_an_estimate_is_not_the_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    def slower(change: cmd.FreezeCommand, parts: TrainingParts) -> str:
        time.sleep(1.5)
        return estimate_change(change, parts)

    monkeypatch.setattr(commands, "estimate_change", slower)

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        if isinstance(event, ev.EpochEnd) and event.epoch == 1:
            return cmd.Estimate(change=cmd.UnfreezeNext())
        if isinstance(event, ev.CostEstimated):
            return cmd.Pause()
        if isinstance(event, ev.RunPaused):
            return cmd.Estimate(change=cmd.UnfreezeAll())
        if isinstance(event, ev.CommandDone) and "layer1" in event.text:
            return cmd.Resume()
        return None

    def react_once(event: ev.Event) -> cmd.AnyCommand | None:
        command = react(event)
        if command is None or (command.name in sent and command.name != "estimate"):
            return None
        sent.append(command.name)
        return command

    sent: list[str] = []
    outcome = carry_out(tiny_config("train.epochs=30"), tmp_path, react_once)
    assert sent == ["estimate", "pause", "estimate", "resume"]
    assert all(0 <= epoch.seconds < 1.4 for epoch in outcome.of(ev.EpochEnd))


@pytest.mark.parametrize("config", [TrainConfig(optimizer="adam"), TrainConfig(optimizer="sgd"), TrainConfig()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_state_bytes_are_those_of_the_optimizer(config: TrainConfig, dtype: torch.dtype) -> None:
    parameters = [nn.Parameter(torch.zeros(size, dtype=dtype)) for size in ((3, 4), (5,), ())]
    optimizer = build_optimizer(config, [{"params": parameters}])
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    values = [value for state in optimizer.state.values() for value in state.values()]
    assert state_bytes(config, parameters) == sum(value.nbytes for value in values if isinstance(value, Tensor))
