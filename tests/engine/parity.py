"""A run held against another, or against the plain loop."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fxtui.engine.checkpoints.files import load_checkpoint
from fxtui.protocol import events as ev
from tests.engine.plain_loop import Learned
from tests.engine.runs import Outcome, carry_out, tiny_config


def agree(outcome: Outcome, expected: Learned) -> None:
    """Losses and rates of every epoch, and the weights at the end."""
    assert outcome.state.phase == "finished"
    epochs = outcome.of(ev.EpochEnd)
    assert [e.train_loss for e in epochs] == pytest.approx(expected.train, abs=1e-5)
    assert [e.val_loss for e in epochs] == pytest.approx(expected.val, abs=1e-5)
    assert [e.lr for e in epochs] == pytest.approx(expected.lr, rel=1e-6)
    tensors, _, _ = load_checkpoint(outcome.run, "last")
    torch.testing.assert_close(tensors, dict(expected.model.state_dict()), rtol=1e-3, atol=1e-4)


def check_split_batches(folder: Path, source: Path, factory: str, more: str) -> None:
    """A factory whose model takes eight images, not sixteen: said once, and the numbers are those of whole batches."""
    overrides = (f"data.source={source}", "data.limit=0", "freeze.trainable=hidden", "train.optimizer=sgd", more)
    roomy, tight = (
        carry_out(tiny_config(*overrides, f"model.backbone=tests.engine.models:{name}"), folder)
        for name in ("undemanding", factory)
    )
    assert roomy.of(ev.RunWarning) == []
    assert tight.state.phase == "finished"
    (warning,) = (event.text for event in tight.of(ev.RunWarning))
    assert "batches of 16 are computed 8 at a time" in warning
    for kind in ("train_loss", "val_loss"):
        wanted = [getattr(e, kind) for e in roomy.of(ev.EpochEnd)]
        assert [getattr(e, kind) for e in tight.of(ev.EpochEnd)] == pytest.approx(wanted, abs=1e-5)
    ours, theirs = (load_checkpoint(outcome.run, "last")[0] for outcome in (tight, roomy))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
