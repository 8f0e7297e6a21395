"""What a change would cost: the exact figures are those that come true, and asking leaves no trace."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from fxtui.config import RunConfig, TrainConfig
from fxtui.engine.checkpoints.files import load_checkpoint
from fxtui.engine.commands import Control
from fxtui.engine.freezing.state import target_of
from fxtui.engine.metrics.pace import Pace
from fxtui.engine.optimization.optimizer import build_optimizer, state_bytes
from fxtui.engine.training.loop import Trainer
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.protocol.commands import CommandRefusedError
from tests.engine.runs import Outcome, carry_out, tiny_config

Between = Callable[[Trainer, int], bool]
Watched = Callable[[RunConfig, Between], tuple[Outcome, Trainer]]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Run a configuration with something done before every batch but the first; it says if the boundary moved."""

    def run(config: RunConfig, between: Between) -> tuple[Outcome, Trainer]:
        seen: list[Trainer] = []
        obey = Control.obey

        def asked(self: Control) -> bool:
            trainer = self.trainer
            assert trainer is not None
            if not seen:
                trainer.optimization.optimizer.register_step_pre_hook(lambda *_: weigh(trainer))
            seen.append(trainer)
            moved = between(trainer, trainer.progress.step) if trainer.progress.step else False
            return obey(self) or moved

        with monkeypatch.context() as patch:
            patch.setattr(Control, "obey", asked)
            outcome = carry_out(config, tmp_path)
        assert outcome.state.phase == "finished"
        return outcome, seen[-1]

    return run


def ask(trainer: Trainer, change: cmd.FreezeCommand) -> ev.CostEstimated:
    """The estimate itself, taken from the trainer's mouth."""
    said: list[ev.Event] = []
    emit, trainer.emit = trainer.emit, said.append
    try:
        trainer.estimate(change)
    finally:
        trainer.emit = emit
    (found,) = said
    assert isinstance(found, ev.CostEstimated)
    return found


def weigh(trainer: Trainer) -> None:
    """Remember the bytes of all gradients, just before an update uses them up."""
    gradients = [p.grad for p in trainer._model.parameters() if p.grad is not None]
    vars(trainer)["weighed"] = sum(gradient.nbytes for gradient in gradients)


def held(trainer: Trainer) -> tuple[int, int]:
    """Bytes of the optimizer's state as it is, and of the gradients of the last update."""
    states = trainer.optimization.optimizer.state.values()
    state = sum(value.nbytes for state in states for value in state.values() if isinstance(value, Tensor))
    return state, vars(trainer)["weighed"]


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

    def between(trainer: Trainer, step: int) -> bool:
        if step != 3:
            return False
        found.append(ask(trainer, change))
        state, gradients = held(trainer)
        assert (found[0].now.optimizer_bytes, found[0].now.gradient_bytes) == (state, gradients)
        trainer.change_freezing(target_of(change, trainer.freezing), "test")
        return True

    config = tiny_config(f"freeze.trainable={trainable}", "train.epochs=1", *options)
    outcome, trainer = watched(config, between)
    now, then = found[0].now, found[0].then
    before, after = outcome.of(ev.CacheReady)
    changed = outcome.of(ev.FreezeChanged)[0]
    assert found[0].change == change.name
    assert found[0].after == changed.after
    assert (now.cache_bytes, now.cache_ready) == (before.bytes, True)
    assert then.trainable_parameters == changed.trainable_parameters
    assert (then.optimizer_bytes, then.gradient_bytes) == held(trainer)
    assert (then.cache_bytes, then.cache_ready) == (after.bytes, after.reused)
    for cost in (now, then):
        assert cost.seconds_per_epoch is not None
        assert cost.seconds_per_epoch > 0
        assert not cost.measured
        assert cost.measured_images == 4


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_the_cache_has_the_dtype_that_extraction_will_use(watched: Watched, precision: str) -> None:
    found: list[ev.CostEstimated] = []

    def between(trainer: Trainer, step: int) -> bool:
        if step == 1:
            found.append(ask(trainer, cmd.UnfreezeNext()))
            trainer.change_freezing(target_of(cmd.UnfreezeNext(), trainer.freezing), "test")
        return step == 1

    outcome, _ = watched(tiny_config(f"train.precision={precision}", "train.epochs=1"), between)
    assert found[0].then.cache_bytes == outcome.of(ev.CacheReady)[1].bytes


def test_a_cache_that_is_there_is_found_and_one_that_trained_since_is_not(watched: Watched) -> None:
    ready: list[tuple[bool, bool]] = []

    def change(trainer: Trainer, asked: cmd.FreezeCommand) -> None:
        estimated = ask(trainer, asked).then.cache_ready
        if isinstance(asked, cmd.Undo):
            trainer.undo_freezing()
        else:
            trainer.change_freezing(target_of(asked, trainer.freezing), "test")
        ready.append((estimated, said[-1]))

    said: list[bool] = []

    def between(trainer: Trainer, step: int) -> bool:
        if step == 1:
            emit = trainer.boundary.bank._emit
            trainer.boundary.bank._emit = lambda event: (
                said.append(event.reused) if isinstance(event, ev.CacheReady) else None,
                emit(event),
            )[-1]
            change(trainer, cmd.UnfreezeNext())
            change(trainer, cmd.Undo())
            change(trainer, cmd.UnfreezeNext())
        if step == 2:
            change(trainer, cmd.FreezeAll())
        return step in (1, 2)

    watched(tiny_config("train.epochs=1"), between)
    assert ready == [(False, False), (True, True), (True, True), (False, False)]


def test_a_cache_on_disk_is_found(watched: Watched) -> None:
    watched(tiny_config("freeze.trainable=layer3", "train.epochs=1"), lambda *_: False)
    found: list[ev.CostEstimated] = []

    def between(trainer: Trainer, step: int) -> bool:
        if step == 1:
            found.append(ask(trainer, cmd.UnfreezeNext()))
        return False

    watched(tiny_config("train.epochs=1"), between)
    assert found[0].then.cache_ready


@pytest.mark.parametrize("options", [("cache.enabled=false",), ("cache.max_gb=0.000001",)])
def test_without_a_cache_there_are_no_bytes_of_one(watched: Watched, options: tuple[str, ...]) -> None:
    found: list[ev.CostEstimated] = []

    def between(trainer: Trainer, step: int) -> bool:
        if step == 1:
            found.append(ask(trainer, cmd.UnfreezeNext()))
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

    def counted(trainer: Trainer) -> None:
        """Count, in every step from here on, the bytes behind every tensor that its graph saves."""
        known = {t.untyped_storage().data_ptr() for t in (*trainer._model.parameters(), *trainer._model.buffers())}
        take = trainer.stepper._in_parts

        def counting(suffix: nn.Module, batch: object, share: float) -> object:
            storages: dict[int, torch.UntypedStorage] = {}

            def pack(tensor: Tensor) -> Tensor:
                storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                result = take(suffix, batch, share)  # type: ignore[arg-type]
            kept.append(sum(s.nbytes() for address, s in storages.items() if address not in known))
            return result

        trainer.stepper._in_parts = counting  # type: ignore[assignment,method-assign]

    def between(trainer: Trainer, step: int) -> bool:
        if step == 1:
            found.append(ask(trainer, change))
            trainer.change_freezing(target_of(change, trainer.freezing), "test")
            counted(trainer)
        return step == 1

    watched(tiny_config("train.epochs=1", f"model.backbone=tests.engine.models:{backbone}"), between)
    truth = max(kept)
    assert truth > 0
    assert truth / 1.3 <= found[0].then.activation_bytes <= truth * 1.3


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

    def between(trainer: Trainer, step: int) -> bool:
        if step in (1, 2, 4, 7, 12):
            for change in changes:
                try:
                    estimates.append(ask(trainer, change))
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
    _, trainer = watched(
        tiny_config("train.epochs=1", "freeze.trainable=layer3", "train.precision=auto"), lambda *_: False
    )
    model, names = trainer._model, list(trainer.freezing.backbone_names)
    for parameter in model.parameters():
        # Also on frozen ones: whatever is there has to stay.
        parameter.grad = torch.randn_like(parameter)

    def everything() -> list[object]:
        optimizer = trainer.optimization.optimizer
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
            (trainer.freezing.trainable, list(trainer.freezing.history), trainer.boundary.cut, trainer.boundary.feed),
            [key for key, _ in trainer.boundary.bank._memory],
            copy.copy(trainer.progress),
        ]

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sets(st.sampled_from(names), min_size=1), st.booleans())
    def check(paths: set[str], value: bool) -> None:
        before = everything()
        change = cmd.SetTrainable(paths=tuple(sorted(paths)), value=value)
        if paths.isdisjoint(trainer.freezing.trainable) if not value else paths <= trainer.freezing.trainable:
            with pytest.raises(CommandRefusedError, match="nothing to change"):
                ask(trainer, change)
        else:
            found = ask(trainer, change)
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

    slow = Trainer.estimate

    def slower(self: Trainer, change: cmd.FreezeCommand) -> str:
        time.sleep(1.5)
        return slow(self, change)

    monkeypatch.setattr(Trainer, "estimate", slower)

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


def batch_end(rate: float) -> ev.BatchEnd:
    return ev.BatchEnd(epoch=1, step=1, batch=1, batches=9, loss=1.0, accuracy=0.5, lr=1e-3, images_per_s=rate)


def epoch_end(seconds: float) -> ev.EpochEnd:
    figures = dict.fromkeys(("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr"), 0.5)
    return ev.EpochEnd(epoch=1, step=9, seconds=seconds, observation="", **figures)  # type: ignore[arg-type]


def test_pace_is_that_of_the_present_freezing_alone() -> None:
    passed: list[ev.Event] = []
    pace = Pace()
    emit = pace.watching(passed.append)
    assert pace.seconds_per_epoch is pace.seconds_per_image is None
    for event in (batch_end(1.0), batch_end(10.0), batch_end(20.0), batch_end(30.0), epoch_end(3.0), epoch_end(5.0)):
        emit(event)
    assert len(passed) == 6
    assert pace.seconds_per_image == pytest.approx(1 / 20)
    assert pace.seconds_per_epoch == 4.0
    emit(ev.FreezeChanged(before=(), after=("layer3",), origin="undo", text="", epoch=1, step=9))
    assert pace.seconds_per_epoch is pace.seconds_per_image is None
    # The rest of an epoch in which it was changed, and its extraction, are no figure of either state.
    emit(epoch_end(100.0))
    assert pace.seconds_per_epoch is None
    emit(epoch_end(7.0))
    assert pace.seconds_per_epoch == 7.0
