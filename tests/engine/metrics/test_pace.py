"""How fast a run trains with its present freezing."""

from __future__ import annotations

import pytest

from fxtui.engine.metrics.pace import Pace
from fxtui.protocol import events as ev


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
