"""Faults that others have had with frozen layers, by name: each is asked for, and each would be seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fxtui.engine.checkpoints.files import load_checkpoint
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.optimization.optimizer import Optimization
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.store import RunDirectory
from tests.engine.plain_loop import rows_of
from tests.engine.runs import Outcome, carry_out, tiny_config


def moved(outcome: Outcome) -> set[str]:
    """The tensors of the last checkpoint that are not, to the bit, what the run began with."""
    _, model = rows_of(tiny_config())
    tensors, _, _ = load_checkpoint(outcome.run, "last")
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, tensors[name])}


def statistics() -> dict[str, Tensor]:
    _, model = rows_of(tiny_config())
    return dict(model.named_buffers())


def norms(rows: tuple[ev.LayerRow, ...]) -> dict[str, str | None]:
    return {row.path: row.bn for row in rows if row.kind == "BatchNorm2d"}


def say(*commands: cmd.AnyCommand) -> Callable[[ev.Event], cmd.AnyCommand | None]:
    """One command after each epoch."""
    waiting = list(commands)
    return lambda event: waiting.pop(0) if isinstance(event, ev.EpochEnd) and waiting else None


def while_paused(*commands: cmd.AnyCommand) -> Callable[[ev.Event], cmd.AnyCommand | None]:
    """Changes of freezing one after the other, between two batches of the second epoch."""
    waiting = [*commands, cmd.Resume()]

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        if isinstance(event, ev.EpochEnd) and event.epoch == 1:
            return cmd.Pause()
        return waiting.pop(0) if isinstance(event, ev.RunPaused | ev.FreezeChanged) else None

    return react


def leave_in_training(model: nn.Module, batchnorm: str = "follow") -> None:  # noqa: ARG001
    model.train()


class TestBatchNormDrifts:
    """A frozen backbone whose BatchNorm goes on counting: pytorch #86590, lightly #1438, ultralytics #8753."""

    def test_statistics_of_a_frozen_backbone_stay(self, tmp_path: Path) -> None:
        config = tiny_config("freeze.batchnorm=follow", "cache.enabled=false", "train.epochs=2")
        outcome = carry_out(config, tmp_path, say(cmd.SetLr(lr=0.002)))
        assert moved(outcome) == {"fc.weight", "fc.bias"}
        for table in outcome.of(ev.Layers):
            assert set(norms(table.rows).values()) == {"still"}

    def test_they_stay_again_once_the_layer_is_frozen_again(self, tmp_path: Path) -> None:
        commands = (cmd.SetTrainable(paths=("layer3",), value=True), cmd.FreezeAll())
        outcome = carry_out(tiny_config("train.epochs=12"), tmp_path, say(*commands))
        thawed, refrozen = outcome.of(ev.FreezeChanged)
        assert {path for path, bn in norms(thawed.rows).items() if bn == "moving"} == {
            path for path in norms(thawed.rows) if path.startswith("layer3.")
        }
        assert set(norms(refrozen.rows).values()) == {"still"}
        assert not any(name.startswith(("conv1", "bn1", "layer1", "layer2")) for name in moved(outcome))
        tensors, _, _ = load_checkpoint(outcome.run, "last")
        counted = {int(tensors[name]) for name in tensors if name.startswith("layer3.") and "tracked" in name}
        assert counted == {refrozen.step - thawed.step}

    def test_the_fault_would_be_seen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fxtui.engine.freezing.state.apply_modes", leave_in_training)
        outcome = carry_out(tiny_config("train.epochs=1"), tmp_path)
        assert moved(outcome) == {"fc.weight", "fc.bias", *statistics()}
        assert set(norms(outcome.of(ev.Layers)[0].rows).values()) == {"moving"}


class TestUnfrozenButInNoGroup:
    """Trainable, and yet it never trains, for the optimizer does not know it: fastai #2133."""

    @pytest.mark.parametrize(
        ("commands", "trains"),
        [
            ([cmd.SetTrainable(paths=("layer2.1.bn1",), value=True)], ["layer2.1.bn1"]),
            ([cmd.UnfreezeNext(), cmd.UnfreezeNext()], ["layer3", "layer2"]),
            ([cmd.UnfreezeAll()], ["conv1", "bn1", "layer1", "layer2", "layer3"]),
            ([cmd.UnfreezeNext(), cmd.FreezeAll(), cmd.Undo()], ["layer3"]),
        ],
        ids=["one norm", "next, next", "all", "undo"],
    )
    def test_what_is_unfrozen_trains(self, tmp_path: Path, commands: list[cmd.AnyCommand], trains: list[str]) -> None:
        outcome = carry_out(tiny_config("train.epochs=6"), tmp_path, while_paused(*commands))
        changes = outcome.of(ev.FreezeChanged)
        assert len(changes) == len(commands)
        for change in changes:
            assert all(row.in_optimizer == row.trainable and not row.fault for row in change.rows)
        assert set(changes[-1].after) == set(trains)
        _, model = rows_of(tiny_config())
        names = {name for name, _ in model.named_parameters() if name.startswith(tuple(f"{path}." for path in trains))}
        assert names
        assert names <= moved(outcome)

    def test_the_fault_would_be_seen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Optimization, "sync", lambda *_: None)
        outcome = carry_out(tiny_config("train.epochs=6"), tmp_path, while_paused(cmd.UnfreezeNext()))
        (change,) = outcome.of(ev.FreezeChanged)
        faults = {row.path: row.fault for row in change.rows if row.fault}
        assert faults["layer3"] == "layer3.0.conv1.weight is trainable but in no parameter group: it never trains"
        assert not any(path.startswith(("layer1", "layer2", "fc")) for path in faults)


class TestFrozenButStillMoving:
    """Momentum and weight decay move a weight whose gradient is nought, not None, while the optimizer holds it."""

    @pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
    def test_a_layer_that_trained_stands_still_once_frozen(self, tmp_path: Path, optimizer: str) -> None:
        kept: dict[str, Tensor] = {}

        def react(event: ev.Event) -> cmd.AnyCommand | None:
            match event:
                case ev.EpochEnd(epoch=1):
                    return cmd.UnfreezeNext()
                case ev.EpochEnd(epoch=3):
                    return cmd.Pause()
                case ev.RunPaused():
                    return cmd.FreezeAll()
                case ev.FreezeChanged(origin="freeze_all"):
                    # Written when it paused; nothing has been trained since.
                    kept.update(load_checkpoint(RunDirectory(next(tmp_path.iterdir())), "last")[0])
                    return cmd.Resume()
            return None

        config = tiny_config("train.epochs=10", f"train.optimizer={optimizer}", "train.weight_decay=0.1")
        outcome = carry_out(config, tmp_path, react)
        tensors, _, _ = load_checkpoint(outcome.run, "last")
        trained = [name for name in tensors if name.startswith("layer3.")]
        _, model = rows_of(tiny_config())
        assert any(not torch.equal(kept[name], model.state_dict()[name]) for name in trained)
        assert all(torch.equal(kept[name], tensors[name]) for name in trained)
        assert not torch.equal(kept["fc.weight"], tensors["fc.weight"])

    def test_setting_an_attribute_on_a_module_freezes_nothing_and_the_flags_say_so(self) -> None:
        """``module.requires_grad = False`` is a common mistake; flags are read from parameters alone."""
        _, model = rows_of(tiny_config())
        freezing = Freezing(model, "fc", ("layer3",))
        freezing.trainable = freezing.resolve(["layer3"])
        freezing.apply()
        model.get_submodule("layer3").requires_grad = False  # type: ignore[assignment]
        optimization = Optimization(model, freezing, tiny_config().train, 10)
        assert "layer3.0.conv1.weight" in optimization.rates()


class TestFrozenButItsStatisticsMove:
    """A contradiction is said to be one, not only shown: `frozen` beside `moving`."""

    def test_it_is_a_fault_unless_it_was_asked_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = carry_out(tiny_config("train.epochs=1", "freeze.batchnorm=live"), tmp_path)
        assert not any(row.fault for row in asked.of(ev.Layers)[0].rows)
        monkeypatch.setattr("fxtui.engine.freezing.state.apply_modes", leave_in_training)
        outcome = carry_out(tiny_config("train.epochs=1"), tmp_path)
        faults = {row.path: row.fault for row in outcome.of(ev.Layers)[0].rows if row.fault}
        assert faults["bn1"] == "bn1 is frozen but in train mode: its statistics move"
        assert faults["layer3"] == "layer3.0.bn1 is frozen but in train mode: its statistics move"
        assert "fc" not in faults
