"""What a change of freezing would cost, in one line for the user."""

from __future__ import annotations

from collections.abc import Sequence

from fxtui.protocol.events import CostEstimated
from fxtui.protocol.records import Cost
from fxtui.text import numbers as fmt


def cost_sentence(estimate: CostEstimated, gained: Sequence[str], lost: Sequence[str]) -> str:
    """One line: what would train or be frozen, and at what price.

    ``gained`` and ``lost`` are the module paths that would begin and cease to train.
    """
    now, then = estimate.now, estimate.then
    who = [f"{', '.join(paths)} would {verb}" for paths, verb in ((gained, "train"), (lost, "be frozen")) if paths]
    parts = [
        _parameters(then.trainable_parameters - now.trainable_parameters),
        _pace(now, then),
        f"{_change(held_bytes(then) - held_bytes(now))} optimizer and gradients",
        f"≈{fmt.size(then.activation_bytes)} activations",
        _cache(then),
    ]
    return f"{', '.join(who)}: {', '.join(parts)}"


def held_bytes(cost: Cost) -> int:
    """Bytes that the optimizer's state and the gradients take."""
    return cost.optimizer_bytes + cost.gradient_bytes


def pace(cost: Cost) -> str:
    """Seconds of an epoch: `0.42 s` where they were measured, `≈19 s` where not, `–` where they are not known."""
    if cost.measured or cost.seconds_per_epoch is None:
        return fmt.duration(cost.seconds_per_epoch)
    return f"≈{fmt.roughly(cost.seconds_per_epoch)}"


def _parameters(change: int) -> str:
    return f"{fmt.params(abs(change))} {'fewer' if change < 0 else 'more'} parameters"


def _pace(now: Cost, then: Cost) -> str:
    return f"{pace(then)}/epoch" + (f" (now {pace(now)})" if now.seconds_per_epoch is not None else "")


def _change(count: int) -> str:
    return f"{'-' if count < 0 else '+'}{fmt.size(abs(count))}"


def _cache(cost: Cost) -> str:
    if not cost.cache_bytes:
        return "no cache"
    return f"cache {fmt.size(cost.cache_bytes)}" + (", there already" if cost.cache_ready else "")
