"""The state of the global random generators that a device draws from: read, compared, kept, put back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

# The states by generator: `cpu`, and that of the accelerator, if it is one. Checkpoints hold it like this.
RandomState = dict[str, Tensor]


def random_state(device: torch.device) -> RandomState:
    """The states of the generators that a model on this device draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: RandomState, device: torch.device) -> None:
    """Continue drawing from :func:`random_state`; what it does not know of this device stays as it is."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


def same_state(one: RandomState, other: RandomState) -> bool:
    """Whether nothing was drawn between two states."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@contextlib.contextmanager
def random_state_kept(device: torch.device) -> Iterator[None]:
    """What is drawn inside does not count: training draws the same numbers afterwards as it would have."""
    state = random_state(device)
    try:
        yield
    finally:
        set_random_state(state, device)
