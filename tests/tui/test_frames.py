"""When the next frame is drawn, and what the time is on it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.tui.frames import Frame, FrameClock

COSTS = st.floats(0, 1)
SENT = st.integers(0, 100_000)
LATENCIES = st.floats(0, 5)


@pytest.mark.parametrize(
    ("frame", "training", "seconds"),
    [
        (Frame(), True, 0.25),
        (Frame(cost=0.0025), True, 0.25),
        (Frame(cost=0.010), True, 1.0),
        (Frame(cost=0.030), True, 2.0),
        (Frame(cost=0.030), False, 0.25),
        (Frame(sent=550), True, 0.5),
        (Frame(sent=550), False, 0.5),
        (Frame(sent=100_000), True, 2.0),
        (Frame(latency=0.1), True, 1.0),
        (Frame(latency=3.0), True, 2.0),
        (Frame(latency=0.02), True, 0.25),
        (Frame(cost=0.09, latency=3.0), True, 3.0),
    ],
)
def test_a_frame_is_paid_for_before_the_next(frame: Frame, training: bool, seconds: float) -> None:
    assert FrameClock().wait(frame, training) == pytest.approx(seconds)


@given(COSTS, SENT, LATENCIES, st.booleans())
def test_a_slow_line_never_waits_less(cost: float, sent: int, latency: float, training: bool) -> None:
    frame = Frame(cost, sent, latency)
    fast, slow = (FrameClock(low_bandwidth=low).wait(frame, training) for low in (False, True))
    assert slow >= max(fast, 1.0)
    assert fast >= 0.25
    if training:
        assert cost <= 0.03 * fast + 1e-9


@given(SENT)
def test_bytes_a_second_keep_their_budget_until_the_longest_wait(sent: int) -> None:
    wait = FrameClock().wait(Frame(sent=sent), training=True)
    assert sent / wait <= 1500 or wait == 2.0


def test_the_clock_moves_in_whole_seconds_since_the_start() -> None:
    clock = FrameClock()
    assert [clock.reading(100.4 + t, 100.4) for t in (0.0, 0.9, 1.0, 7.95)] == [100.4, 100.4, 101.4, 107.4]
    assert FrameClock(low_bandwidth=True).reading(107.9, 100.0) == 105.0


def test_before_the_start_the_time_is_the_time() -> None:
    assert FrameClock().reading(99.0, 100.0) == 99.0
