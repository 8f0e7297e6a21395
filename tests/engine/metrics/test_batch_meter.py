"""Losses and hits by batch."""

from __future__ import annotations

import math

import pytest
import torch

from fxtui.engine.metrics.batch_meter import BatchMeter, NonFiniteLossError
from fxtui.protocol.events import BatchEnd


@pytest.mark.parametrize(("value", "word"), [(math.nan, "NaN"), (math.inf, "infinite")])
def test_the_step_of_a_bad_loss_is_named(value: float, word: str) -> None:
    meter = BatchMeter(1, 10, lambda _: None)
    for loss in (1.0, 2.0, value, 3.0):
        meter.add(torch.tensor(loss), torch.tensor(1), 2)
    with pytest.raises(NonFiniteLossError, match=f"loss is {word} at step 9"):
        meter.report(step=10, batch=4, lr=0.1, force=True)


def test_the_meter_weighs_batches_by_their_size() -> None:
    events: list[BatchEnd] = []
    meter = BatchMeter(1, 2, events.append)
    meter.add(torch.tensor(1.0), torch.tensor(3), 3)
    meter.add(torch.tensor(2.0), torch.tensor(0), 1)
    meter.report(step=2, batch=2, lr=0.1, force=True)
    assert meter.loss == pytest.approx(1.25)
    assert meter.accuracy == pytest.approx(0.75)
    assert [event.loss for event in events] == [pytest.approx(1.25)]
