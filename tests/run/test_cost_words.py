"""The price of a change in one line."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fxtui.protocol.records import Cost
from fxtui.run.cost_words import cost_sentence, pace
from tests.run.samples import estimated


def test_a_change_that_adds() -> None:
    assert cost_sentence(estimated(), ["layer4"], []) == (
        "layer4 would train: 8.39M more parameters, ≈19 s/epoch (now 0.40 s), +96.1 MiB optimizer and gradients, "
        "≈210.0 MiB activations, cache 15.6 MiB"
    )


def test_a_change_that_takes_away_to_a_cache_that_is_there() -> None:
    there = estimated()
    back = replace(there, now=there.then, then=replace(there.now, measured=False))
    assert cost_sentence(back, [], ["layer3", "layer4"]) == (
        "layer3, layer4 would be frozen: 8.39M fewer parameters, ≈0.40 s/epoch (now ≈19 s), "
        "-96.1 MiB optimizer and gradients, ≈64.0 KiB activations, cache 2.0 MiB, there already"
    )


def test_both_ways_without_a_cache_or_a_pace() -> None:
    both = estimated()
    unknown = replace(both.now, seconds_per_epoch=None, measured=False)
    bare = replace(both, now=unknown, then=replace(unknown, cache_bytes=0))
    assert cost_sentence(bare, ["layer3"], ["layer4"]) == (
        "layer3 would train, layer4 would be frozen: 0 more parameters, –/epoch, +0 B optimizer and gradients, "
        "≈64.0 KiB activations, no cache"
    )


@pytest.mark.parametrize(
    ("seconds", "measured", "text"),
    [
        (0.4, True, "0.40 s"),
        (18.96, True, "19.0 s"),
        (18.96, False, "≈19 s"),
        (3.14, False, "≈3.1 s"),
        (70, False, "≈1m 10s"),
    ],
)
def test_what_was_not_measured_says_so(seconds: float, measured: bool, text: str) -> None:
    cost: Cost = replace(estimated().now, seconds_per_epoch=seconds, measured=measured)
    assert pace(cost) == text
