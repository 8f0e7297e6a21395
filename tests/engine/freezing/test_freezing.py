"""Freezing: paths, patterns, modes and undo."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fxtui.engine.freezing.modes import apply_modes
from fxtui.engine.freezing.state import Freezing
from fxtui.protocol.commands import CommandRefusedError
from tests.engine.invariants import plain_modes
from tests.engine.models import TinyResNet, TinyTransformer
from tests.engine.odd_models import LevitLike

STAGES = ("conv1", "bn1", "layer1", "layer2", "layer3")


@pytest.fixture
def freezing() -> Freezing:
    made = Freezing(TinyResNet(), "fc", STAGES)
    made.apply()
    return made


def modes(freezing: Freezing) -> dict[str, bool]:
    return {name: module.training for name, module in freezing._model.named_modules()}


def test_only_the_head_trains_at_first(freezing: Freezing) -> None:
    trains = [name for name, p in freezing._model.named_parameters() if p.requires_grad]
    assert trains == ["fc.weight", "fc.bias"]
    assert not modes(freezing)["layer3.1.bn2"]
    # A module without parameters has the mode of the module that holds it, and that one holds the head.
    assert modes(freezing)["dropout"]
    assert not modes(freezing)["layer1.0.relu"]


def test_modes_equal_the_plain_loop(freezing: Freezing) -> None:
    freezing.change_to(freezing.resolve(["layer2.1", "layer3.0.bn1"]))
    ours = modes(freezing)
    model = freezing._model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()
    assert ours == {name: module.training for name, module in model.named_modules()}


def test_a_module_in_two_places_has_the_mode_of_the_plain_loop() -> None:
    """Frozen in one of them, it is in eval mode, whichever comes first."""
    model = TinyResNet()
    shared = nn.Dropout(0.5)
    model.layer1.append(shared)
    model.layer3.append(shared)
    for trains in ("layer1", "layer3"):
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith((trains, "fc")))
        apply_modes(model)
        ours = {name: module.training for name, module in model.named_modules()}
        assert not shared.training
        plain_modes(model)
        assert ours == {name: module.training for name, module in model.named_modules()}


def test_a_train_method_of_a_models_own_is_called() -> None:
    """LeViT's attention drops there what it keeps for evaluation."""
    model = LevitLike()
    freezing = Freezing(model, "head", ("patch", "blocks"))
    freezing.apply()
    model(torch.randn(2, 3, 32, 32))
    assert model.blocks[1].kept
    freezing.change_to(freezing.resolve(["blocks.1"]))
    assert not model.blocks[1].kept
    assert model.blocks[0].kept


def test_a_shared_weight_is_found_under_each_of_its_names() -> None:
    model = TinyResNet()
    model.layer3[0].conv1.weight = model.layer3[1].conv1.weight = model.layer2[1].conv1.weight
    freezing = Freezing(model, "fc", STAGES)
    assert freezing.resolve(["layer3.0.conv1"]) == {"layer2.1.conv1.weight"}
    assert freezing.resolve(["layer3.1.c*1"]) == {"layer2.1.conv1.weight"}
    freezing.change_to(freezing.resolve(["layer3.1.conv1.weight"]))
    assert model.layer3[0].conv1.weight.requires_grad


@pytest.mark.parametrize(("batchnorm", "expected"), [("frozen", False), ("live", True)])
def test_batchnorm_can_be_overridden(batchnorm: str, expected: bool) -> None:
    model = TinyResNet()
    for parameter in model.layer1.parameters():
        parameter.requires_grad_(False)
    apply_modes(model, batchnorm)  # type: ignore[arg-type]
    assert {m.training for m in model.modules() if isinstance(m, nn.BatchNorm2d)} == {expected}


def test_patterns_and_single_parameters(freezing: Freezing) -> None:
    assert freezing.resolve(["layer1.0.bn1"]) == {"layer1.0.bn1.weight", "layer1.0.bn1.bias"}
    assert freezing.resolve(["layer1.0.bn1.bias"]) == {"layer1.0.bn1.bias"}
    norms = freezing.resolve(["*.bn*"])
    assert norms
    assert all(".bn" in name for name in norms)
    assert all(name.endswith(".bias") for name in freezing.resolve(["*.bias"]))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("layr3", "layr3: no such layer; did you mean layer3?"),
        ("fc", "fc: the head always trains"),
        ("fc.weight", "fc.weight: the head always trains"),
        ("pool", "pool: has no parameters"),
        ("*.gamma", "*.gamma: no such layer"),
    ],
)
def test_refusals_say_why(freezing: Freezing, path: str, message: str) -> None:
    with pytest.raises(CommandRefusedError, match=r"^" + message.replace("*", r"\*").replace("?", r"\?")):
        freezing.resolve([path])


def test_unfreeze_next_walks_to_the_input(freezing: Freezing) -> None:
    seen = []
    while (names := freezing.next_stage()) is not None:
        freezing.change_to(freezing.trainable | names)
        seen.append(freezing.describe(names))
    # A stage of nothing but normalisation comes with the one before it.
    assert seen == [("layer3",), ("layer2",), ("layer1",), ("conv1", "bn1")]


def test_unfreeze_next_ends_with_parameters_outside_any_stage() -> None:
    freezing = Freezing(TinyTransformer(), "head", ("patch", "blocks.0", "blocks.1", "blocks.2", "norm"))
    freezing.apply()
    seen = []
    while (names := freezing.next_stage()) is not None:
        freezing.change_to(freezing.trainable | names)
        seen.append(freezing.describe(names))
    assert seen == [("blocks.2", "norm"), ("blocks.1",), ("blocks.0",), ("patch",), ("token", "position")]


def test_undo_restores_and_ends(freezing: Freezing) -> None:
    freezing.change_to(freezing.resolve(["layer3"]))
    freezing.change_to(freezing.resolve(["layer3", "layer2"]))
    freezing.undo()
    assert freezing.describe(freezing.trainable) == ("layer3",)
    freezing.undo()
    assert freezing.trainable == frozenset()
    with pytest.raises(CommandRefusedError, match="nothing to undo"):
        freezing.undo()


def test_frozen_parameters_lose_their_gradient(freezing: Freezing) -> None:
    freezing.change_to(freezing.resolve(["layer3"]))
    freezing._model(torch.randn(4, 3, 32, 32)).sum().backward()
    assert freezing._model.get_parameter("layer3.0.conv1.weight").grad is not None
    freezing.change_to(frozenset())
    assert freezing._model.get_parameter("layer3.0.conv1.weight").grad is None
