"""Observations, validation figures and the batch meter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

from fxtui.engine.data.batch_order import epoch_batches
from fxtui.engine.metrics.batch_meter import BatchMeter, NonFiniteLossError
from fxtui.engine.metrics.observation import Figures, observe
from fxtui.engine.metrics.tally import Tally
from fxtui.protocol.events import BatchEnd

FALLING = [Figures(2.0 - 0.2 * i, 2.0 - 0.1 * i, 0.5 + 0.05 * i) for i in range(4)]


@pytest.mark.parametrize(
    ("history", "now", "expected"),
    [
        ([], Figures(2.0, 2.0, 0.1), "first epoch"),
        (FALLING, Figures(1.2, 1.6, 0.7), "best +5.0"),
        (FALLING, Figures(1.2, 1.6, 0.6), "val -5.0"),
        (FALLING, Figures(1.6, 1.6, 0.55), "val -10.0, loss up"),
        ([Figures(1.0, 1.0, 0.9)] * 3, Figures(0.9, 1.0, 0.9), "flat 3 epochs"),
        # What moves within the noise neither ends the count nor makes it jump.
        ([Figures(1.0, 1.0, 0.9 - 0.01 * (i % 3)) for i in range(6)], Figures(0.9, 1.0, 0.88), "flat 6 epochs"),
        ([Figures(1 - 0.1 * i, 1 + 0.1 * i, 0.9) for i in range(4)], Figures(0.5, 1.5, 0.89), "overfits 4 epochs"),
    ],
)
def test_observations(history: list[Figures], now: Figures, expected: str) -> None:
    assert observe(history, now, val_images=200) == expected


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9), st.floats(0, 1)), min_size=1, max_size=8))
def test_observations_fit_their_column(figures: list[tuple[float, float, float]]) -> None:
    every = [Figures(*f) for f in figures]
    assert len(observe(every[:-1], every[-1], 200)) <= 24


def test_validation_figures_equal_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    logits = torch.from_numpy(generator.normal(size=(97, 4)).astype(np.float32))
    labels = torch.from_numpy(generator.integers(0, 4, 97))
    tally = Tally(4, torch.device("cpu"))
    for start in range(0, 97, 10):
        tally.add(logits[start : start + 10], labels[start : start + 10])
    result = tally.result()
    predicted = logits.argmax(1)
    assert result.accuracy == pytest.approx(accuracy_score(labels, predicted))
    assert result.loss == pytest.approx(log_loss(labels, logits.double().softmax(1)), abs=1e-6)
    assert np.array_equal(result.confusion.numpy(), confusion_matrix(labels, predicted))
    assert sum(count for _, _, count in result.pairs()) == 97
    assert sum(result.correct) / sum(result.support) == pytest.approx(result.accuracy)


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


@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 5))
def test_every_row_comes_once_an_epoch_and_no_batch_is_single(count: int, size: int, epoch: int) -> None:
    rows = np.arange(count) * 3
    batches = epoch_batches(rows, 7, epoch, size)
    assert sorted(np.concatenate(batches).tolist()) == rows.tolist()
    assert count == 1 or size == 1 or min(map(len, batches)) > 1
    again = epoch_batches(rows, 7, epoch, size)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
