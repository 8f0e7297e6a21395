"""Work that is tried out on a few images or stand-ins: how long it takes, and what it keeps in memory."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from fxtui.config import TrainConfig
from fxtui.engine.devices import synchronize
from fxtui.engine.optimization.optimizer import build_optimizer

# A trial that would take longer is made on fewer images and scaled: training waits for it.
_TRIAL_SECONDS = 0.5
_TRIES = 3
# The optimizer is tried on as many numbers as these at most.
_STAND_IN_NUMBERS = 4_000_000


def saved_bytes(run: Callable[[], Tensor], known: set[int]) -> int:
    """Bytes that autograd keeps for the backward pass, but for storages at the ``known`` addresses.

    Source: https://docs.pytorch.org/docs/stable/autograd.html#saved-tensors-hooks
    """
    held: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        # Held until all are counted, so that no address is given out twice.
        held[storage.data_ptr()] = storage
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept):
        run()
    return sum(storage.nbytes() for address, storage in held.items() if address not in known)


def step_seconds(config: TrainConfig, parameters: list[nn.Parameter]) -> float:
    """Seconds an update of these parameters takes, tried on stand-ins for some of them."""
    stand_ins: list[nn.Parameter] = []
    numbers = 0
    for parameter in parameters:
        if stand_ins and numbers + parameter.numel() > _STAND_IN_NUMBERS:
            continue
        stand_ins.append(nn.Parameter(torch.zeros_like(parameter)))
        stand_ins[-1].grad = torch.zeros_like(parameter)
        numbers += parameter.numel()
    optimizer = build_optimizer(config, [{"params": stand_ins}])
    least = math.inf
    for _ in range(1 + _TRIES):
        least = min(least, _timed(optimizer.step, parameters[0].device))
    return least * sum(p.numel() for p in parameters) / numbers


def trial_seconds(run: Callable[[int], None], size: int, device: torch.device) -> float:
    """Seconds that ``run`` takes for so many images: the least of a few tries, of fewer images where they are long."""
    few = min(size, 4)
    # The first time pays for memory and kernels that later ones find there. On a processor that is little beside a
    # trial that is long; an accelerator may take seconds to choose and load kernels, for each size anew.
    chooses = device.type != "cpu"
    first = _timed(lambda: run(few), device)
    if first < _TRIAL_SECONDS or chooses:
        first = _timed(lambda: run(few), device)
    tried = max(few, min(size, int(few * _TRIAL_SECONDS / max(first, 1e-9))))
    if chooses and tried != few:
        run(tried)
    least, spent = (first, first) if tried == few else (math.inf, 0.0)
    for _ in range(_TRIES):
        if spent >= _TRIAL_SECONDS:
            break
        taken = _timed(lambda: run(tried), device)
        least, spent = min(least, taken), spent + taken
    return least * size / tried


def _timed(run: Callable[[], object], device: torch.device) -> float:
    synchronize(device)
    started = time.monotonic()
    run()
    synchronize(device)
    return time.monotonic() - started


@contextlib.contextmanager
def unnoticed(device: torch.device) -> Iterator[None]:
    """Put back the random state, the number of threads and, on an accelerator, the memory that was taken."""
    threads = torch.get_num_threads()
    cuda = device.type == "cuda"
    try:
        with torch.random.fork_rng([device] if cuda else []):
            yield
    finally:
        torch.set_num_threads(threads)
        if cuda:
            # What stays reserved would be missing where the next cache looks for room.
            torch.cuda.empty_cache()
