"""Trials tell how long work takes once it runs, not how long it takes to begin."""

from __future__ import annotations

import pytest
import torch

from fxtui.engine.costs import trials


class Clock:
    """Stands still but for the work."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sizes: list[int] = []

    def monotonic(self) -> float:
        return self.now

    def work(self, begin: float, each: float, size: int) -> None:
        """So many seconds an image, and some more the first time that there are so many."""
        self.now += each * size + begin * (size not in self.sizes)
        self.sizes.append(size)


@pytest.mark.parametrize(
    ("device", "begin", "each"),
    [("cpu", 0.1, 0.001), ("cpu", 0.0, 2.0), ("meta", 8.0, 0.001), ("meta", 0.0, 0.0001), ("meta", 3.0, 2.0)],
)
def test_a_trial_leaves_out_what_only_the_first_time_takes(
    monkeypatch: pytest.MonkeyPatch, device: str, begin: float, each: float
) -> None:
    clock = Clock()
    monkeypatch.setattr(trials, "time", clock)
    found = trials.trial_seconds(lambda size: clock.work(begin, each, size), 64, torch.device(device))
    assert found == pytest.approx(64 * each)
