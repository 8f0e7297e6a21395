"""The layer table tells the truth, and what contradicts it is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from fxtui.config import TrainConfig
from fxtui.engine.data.batch_order import epoch_batches
from fxtui.engine.freezing import state as freezing
from fxtui.engine.freezing.modes import apply_modes
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.layers.drift import Drift
from fxtui.engine.layers.table import layer_table
from fxtui.engine.optimization.optimizer import Optimization
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from tests.engine.models import TinyResNet
from tests.engine.plain_loop import pixels, rows_of
from tests.engine.runs import carry_out, tiny_config

STAGES = ("conv1", "bn1", "layer1", "layer2", "layer3")


class Table:
    """A model with everything that the layer table is read from."""

    def __init__(self, *trainable: str) -> None:
        self.model = TinyResNet()
        self.freezing = Freezing(self.model, "fc", STAGES)
        self.freezing.trainable = self.freezing.resolve(trainable)
        self.freezing.apply()
        self.optimization = Optimization(self.model, self.freezing, TrainConfig(), 10)

    def rows(self, moved: tuple[str, ...] = ()) -> dict[str, ev.LayerRow]:
        table = layer_table(self.model, self.freezing, self.optimization.rates(), {}, moved)
        return {row.path: row for row in table.rows}

    def faults(self, moved: tuple[str, ...] = ()) -> dict[str, str]:
        return {path: row.fault for path, row in self.rows(moved).items() if row.fault}


def test_a_sound_model_has_no_fault() -> None:
    table = Table("layer3.1", "layer1.0.bn1")
    assert table.faults() == {}
    rows = table.rows()
    assert [rows[path].trainable for path in ("layer3", "layer3.1", "layer2", "fc")] == ["some", "all", "none", "all"]
    assert [rows[path].bn for path in ("layer3.0", "layer3.1", "layer1.0.bn1", "layer2")] == [
        "still", "moving", "moving", "still",
    ]  # fmt: skip


def test_unfrozen_by_hand_but_in_no_group() -> None:
    """What happens in hand-written loops, and in fastai #2133: the flag is set, and the optimizer never hears of it."""
    table = Table()
    table.model.layer3[1].conv2.weight.requires_grad_(True)
    assert set(table.faults()) == {"layer3", "layer3.1", "layer3.1.conv2"}
    assert table.faults()["layer3"] == ("layer3.1.conv2.weight is trainable but in no parameter group: it never trains")


def test_frozen_by_hand_but_in_the_optimizer() -> None:
    table = Table("layer3")
    table.model.layer3[0].bn1.bias.requires_grad_(False)
    assert table.faults()["layer3.0.bn1"] == "layer3.0.bn1.bias is frozen but in the optimizer"


def test_in_two_groups() -> None:
    table = Table("layer3")
    weight = table.model.layer3[0].conv1.weight
    table.optimization.optimizer.param_groups[0]["params"].append(weight)
    assert table.faults()["layer3.0.conv1"] == "layer3.0.conv1.weight is in 2 parameter groups: it is updated as often"


def test_frozen_with_a_gradient() -> None:
    """With momentum or weight decay, a gradient of zeros still moves a weight."""
    table = Table()
    table.model.conv1.weight.grad = torch.zeros_like(table.model.conv1.weight)
    assert table.faults()["conv1"] == "conv1.weight is frozen but has a gradient"


def test_the_attribute_that_freezes_nothing() -> None:
    table = Table("layer3")
    table.model.layer3[0].requires_grad = False
    assert (
        table.faults()["layer3.0"]
        == "layer3.0.requires_grad = False is an attribute of the module and changes no parameter"
    )


@pytest.mark.parametrize("name", ["layer1.0.conv1.weight", "bn1.running_mean", "layer2.1.bn2.num_batches_tracked"])
def test_what_is_frozen_but_moves_is_found(name: str) -> None:
    table = Table("layer3")
    stillness = Drift(table.model)
    stillness.remember()
    assert not stillness.look(force=True)
    tensors = dict(table.model.named_parameters()) | dict(table.model.named_buffers())
    with torch.no_grad():
        tensors[name].view(-1)[0] += 1
    assert stillness.look(force=True)
    assert stillness.moved == {name}
    assert not stillness.look(force=True), "said once"
    layer = name.rpartition(".")[0]
    assert table.faults(tuple(stillness.moved))[layer] == f"{name} is frozen but moves"


def test_what_trains_may_move() -> None:
    table = Table("layer3")
    stillness = Drift(table.model)
    stillness.remember()
    table.model(torch.randn(4, 3, 32, 32))
    with torch.no_grad():
        table.model.layer3[0].conv1.weight.add_(1)
    assert not stillness.look(force=True)


def test_a_run_says_that_frozen_statistics_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where `model.train()` leaves BatchNorm counting in a frozen backbone: pytorch #86590."""

    def careless(model: nn.Module, batchnorm: str = "follow") -> None:  # noqa: ARG001  # as apply_modes takes it
        model.train()

    monkeypatch.setattr(freezing, "apply_modes", careless)
    outcome = carry_out(tiny_config("train.epochs=2"), tmp_path)
    assert outcome.state.phase == "finished"
    (warning,) = [event.text for event in outcome.of(ev.RunWarning)]
    assert warning.startswith("fault: bn1 is frozen but in train mode: its statistics move (")
    rows = {row.path: row for row in outcome.state.layers}
    assert (rows["layer1"].trainable, rows["layer1"].bn) == ("none", "moving")
    assert rows["layer1"].fault == "layer1.0.bn1 is frozen but in train mode: its statistics move"


def test_a_run_says_that_a_frozen_weight_moves(tmp_path: Path) -> None:
    """The model writes to a frozen layer where it trains; nothing but a look at the weight itself finds that."""
    outcome = carry_out(tiny_config("model.backbone=tests.engine.models:meddler", "train.epochs=2"), tmp_path)
    (warning,) = [event.text for event in outcome.of(ev.RunWarning)]
    assert warning.startswith("fault: conv1.weight is frozen but moves")
    assert {row.path for row in outcome.state.layers if row.fault} == {"conv1"}


def test_a_change_answers_with_the_rows_that_changed(tmp_path: Path) -> None:
    waiting: list[cmd.AnyCommand] = [cmd.SetTrainable(paths=("layer3.1",), value=True), cmd.Undo()]

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        return waiting.pop(0) if isinstance(event, ev.EpochEnd | ev.FreezeChanged) and waiting else None

    outcome = carry_out(tiny_config("train.epochs=6"), tmp_path, react)
    for change in outcome.of(ev.FreezeChanged):
        layer3 = {row.path for row in change.rows if row.path.startswith("layer3")}
        assert layer3 == {
            "layer3", "layer3.1", "layer3.1.conv1", "layer3.1.bn1", "layer3.1.conv2", "layer3.1.bn2",
        }  # fmt: skip
        assert not any(row.path.startswith(("layer1", "layer2", "conv1")) for row in change.rows)


def test_figures_are_those_of_a_plain_update(tmp_path: Path) -> None:
    """Gradient norm and update-to-weight ratio of the first batch, against autograd and the weights themselves."""
    config = tiny_config("freeze.trainable=layer3", "train.epochs=1", "train.optimizer=sgd", "train.momentum=0")
    outcome = carry_out(config, tmp_path)
    figures = {figure.path: figure for figure in outcome.of(ev.LayerFigures)[0].figures}
    images, model = rows_of(config)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(("layer3", "fc")))
    apply_modes(model)
    torch.manual_seed(config.seed)
    first = epoch_batches(images.train, config.seed, 0, config.train.batch_size)[0]
    loss = nn.functional.cross_entropy(model(pixels(images, first)), torch.from_numpy(images.labels[first]))
    loss.backward()
    for path in ("layer3", "layer3.0.conv1", "fc"):
        module = model.get_submodule(path)
        gradient = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
        weight = torch.cat([p.detach().flatten() for p in module.parameters()])
        assert figures[path].grad_norm == pytest.approx(float(gradient.norm()), rel=1e-3)
        ratio = config.train.lr * float(gradient.norm()) / float(weight.norm())
        assert figures[path].update_ratio == pytest.approx(ratio, rel=1e-2)
    assert "layer2" not in figures
