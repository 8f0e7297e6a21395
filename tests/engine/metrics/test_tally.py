"""Validation figures from logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

from fxtui.engine.metrics.tally import Tally


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
