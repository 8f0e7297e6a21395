"""What is said of an epoch: in a few words, and never of noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.engine.metrics.observation import Figures, observe

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
