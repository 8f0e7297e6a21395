"""When the next frame is drawn, and what the time is on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.tui.terminal.frame_pacing import (
    EVERY_CORE_BUSY,
    NOTHING_TRAINS,
    ONLY_HEAD_TRAINS,
    Frame,
    FramePacing,
)

COSTS = st.floats(0, 1)
SENT = st.integers(0, 100_000)
LATENCIES = st.floats(0, 5)


@pytest.mark.parametrize(
    ("frame", "share", "seconds"),
    [
        (Frame(), EVERY_CORE_BUSY, 0.25),
        (Frame(cost=0.0015), EVERY_CORE_BUSY, 0.25),
        (Frame(cost=0.006), EVERY_CORE_BUSY, 1.0),
        (Frame(cost=0.030), EVERY_CORE_BUSY, 2.0),
        (Frame(cost=0.030), ONLY_HEAD_TRAINS, 1.0),
        (Frame(cost=0.030), NOTHING_TRAINS, 0.25),
        (Frame(sent=550), EVERY_CORE_BUSY, 0.5),
        (Frame(sent=550), NOTHING_TRAINS, 0.5),
        (Frame(sent=100_000), EVERY_CORE_BUSY, 2.0),
        (Frame(latency=0.1), EVERY_CORE_BUSY, 1.0),
        (Frame(latency=3.0), EVERY_CORE_BUSY, 2.0),
        (Frame(latency=0.02), EVERY_CORE_BUSY, 0.25),
        (Frame(cost=0.09, latency=3.0), EVERY_CORE_BUSY, 3.0),
    ],
)
def test_a_frame_is_paid_for_before_the_next(frame: Frame, share: float, seconds: float) -> None:
    assert FramePacing().wait(frame, share) == pytest.approx(seconds)


@given(COSTS, SENT, LATENCIES, st.sampled_from([EVERY_CORE_BUSY, ONLY_HEAD_TRAINS, NOTHING_TRAINS]))
def test_a_slow_line_never_waits_less(cost: float, sent: int, latency: float, share: float) -> None:
    frame = Frame(cost, sent, latency)
    fast, slow = (FramePacing(low_bandwidth=low).wait(frame, share) for low in (False, True))
    assert slow >= max(fast, 1.0)
    assert fast >= 0.25
    if share < NOTHING_TRAINS:
        assert cost <= 0.03 * fast + 1e-9


@given(SENT)
def test_bytes_a_second_keep_their_budget_until_the_longest_wait(sent: int) -> None:
    wait = FramePacing().wait(Frame(sent=sent), ONLY_HEAD_TRAINS)
    assert sent / wait <= 1500 or wait == 2.0


def test_the_clock_moves_in_whole_seconds_since_the_start() -> None:
    clock = FramePacing()
    assert [clock.reading(100.4 + t, 100.4) for t in (0.0, 0.9, 1.0, 7.95)] == [100.4, 100.4, 101.4, 107.4]
    assert FramePacing(low_bandwidth=True).reading(107.9, 100.0) == 105.0


def test_before_the_start_the_time_is_the_time() -> None:
    assert FramePacing().reading(99.0, 100.0) == 99.0
