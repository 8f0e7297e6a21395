"""The average of the weights: what it is, that it validates, and that it is what `best` keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from fxtui.engine.checkpoints.files import load_checkpoint
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.optimization.weight_average import WeightAverage
from fxtui.protocol import events as ev
from tests.engine.models import TinyResNet
from tests.engine.plain_loop import pixels, rows_of
from tests.engine.runs import carry_out, tiny_config


def test_it_follows_its_formula_and_begins_anew_for_what_joins() -> None:
    model = TinyResNet()
    freezing = Freezing(model, "fc", ("layer3",))
    freezing.apply()
    average = WeightAverage(model, decay=0.5)
    expected = model.fc.weight.detach().clone()
    for number in range(1, 9):
        with torch.no_grad():
            model.fc.weight.add_(number)
        average.update()
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * model.fc.weight.detach()
        torch.testing.assert_close(average.tensors()["fc.weight"], expected)
    assert set(average.tensors()) == {"fc.weight", "fc.bias"}
    freezing.change_to(freezing.resolve(["layer3"]))
    average.sync()
    torch.testing.assert_close(average.tensors()["fc.weight"], expected)
    joined = model.get_parameter("layer3.0.conv1.weight")
    assert torch.equal(average.tensors()["layer3.0.conv1.weight"], joined)
    assert "layer3.0.bn1.running_mean" in average.tensors()
    freezing.change_to(frozenset())
    average.sync()
    assert set(average.tensors()) == {"fc.weight", "fc.bias"}


def test_applied_swaps_and_swaps_back() -> None:
    model = TinyResNet()
    Freezing(model, "fc", ()).apply()
    average = WeightAverage(model, decay=0.9)
    before = model.fc.weight.detach().clone()
    with torch.no_grad():
        model.fc.weight.add_(1)
    after = model.fc.weight.detach().clone()
    with average.applied():
        assert torch.equal(model.fc.weight, before)
    assert torch.equal(model.fc.weight, after)
    assert torch.equal(average.tensors()["fc.weight"], before)


def test_the_best_checkpoint_holds_what_was_validated(tmp_path: Path) -> None:
    config = tiny_config("train.ema=0.9", "freeze.trainable=layer3", "train.epochs=4")
    outcome = carry_out(config, tmp_path)
    images, model = rows_of(config)
    best = [epoch for epoch in outcome.of(ev.EpochEnd) if epoch.best][-1]
    tensors, _, info = load_checkpoint(outcome.run, "best")
    assert info.epoch == best.epoch
    model.load_state_dict(tensors)
    with torch.inference_mode():
        logits = model.eval()(pixels(images, images.val))
    loss = F.cross_entropy(logits, torch.from_numpy(images.labels[images.val])).item()
    assert best.val_loss == pytest.approx(loss, abs=1e-5)
    last, _, _ = load_checkpoint(outcome.run, "last")
    assert not torch.equal(last["fc.weight"], tensors["fc.weight"])
    plain = carry_out(tiny_config("freeze.trainable=layer3", "train.epochs=4"), tmp_path)
    assert [e.train_loss for e in outcome.of(ev.EpochEnd)] == [e.train_loss for e in plain.of(ev.EpochEnd)]
    assert [e.val_loss for e in outcome.of(ev.EpochEnd)] != [e.val_loss for e in plain.of(ev.EpochEnd)]
