"""What a change of freezing would cost, found out without making it.

Counts and sizes are exact: they follow from which parameters would train and from where the model would be cut.
Activation memory and time are tried out on a few images, in eval mode and without accumulating gradients, so that the
run does not notice: no weight, gradient, statistic, random state, flag or mode is another one afterwards.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from msgspec import structs
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.config import TrainConfig
from fxtui.engine.costs.trials import saved_bytes, step_seconds, trial_seconds, unnoticed
from fxtui.engine.data.batch_order import epoch_batches, plain_batches
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.devices import suffix_threads
from fxtui.engine.features.bank import FeatureBank, Kept
from fxtui.engine.features.feeds import AugmentedFeed, Batch, CachedFeed, Feed, LiveFeed, per_image
from fxtui.engine.features.prefix import Prefix
from fxtui.engine.freezing.modes import eval_mode
from fxtui.engine.freezing.moving_names import moving_names
from fxtui.engine.freezing.state import Freezing, target_of
from fxtui.engine.frontier.cut import cut_model
from fxtui.engine.frontier.records import Cut
from fxtui.engine.metrics.pace import Pace
from fxtui.engine.optimization.optimizer import state_bytes
from fxtui.engine.optimization.precision import autocast, suffix_dtype, trains_convolutions
from fxtui.machine.cpu import cpu_count
from fxtui.protocol import events as ev
from fxtui.protocol.commands import CommandRefusedError, FreezeCommand


@dataclass(frozen=True, slots=True)
class Present:
    """A run between two batches: its parts as it uses them now, with its present cut, its feed and its pace."""

    model: nn.Module
    freezing: Freezing
    config: TrainConfig
    images: ImageRows
    bank: FeatureBank
    device: torch.device
    cut: Cut
    feed: Feed
    pace: Pace


@dataclass(frozen=True, slots=True)
class _Trial:
    """What was found out about one state of freezing; seconds are None where a batch does not fit into memory."""

    cost: ev.Cost
    seconds_per_batch: float | None
    validation_seconds: float

    def seconds_per_epoch(self, batches: int, overhead: float) -> float | None:
        if self.seconds_per_batch is None:
            return None
        return batches * (self.seconds_per_batch + overhead) + self.validation_seconds


def estimate(change: FreezeCommand, present: Present) -> tuple[ev.CostEstimated, tuple[str, ...], tuple[str, ...]]:
    """The cost of a change next to that of the present state, and the module paths it would add and take away.

    Takes up to a few seconds. Nothing is changed, computed for the cache, or said.

    Raises:
        CommandRefusedError: the change itself would be refused.
    """
    freezing, pace = present.freezing, present.pace
    before, target = freezing.trainable, target_of(change, freezing)
    try:
        with unnoticed(present.device):
            now = _try(present, present.cut, _kept_by(present.feed))
            then = _try_proposed(present, target)
    except torch.OutOfMemoryError:
        raise CommandRefusedError(f"not enough memory on {present.device} to try this on a few images") from None
    batches = len(epoch_batches(present.images.train, 0, 0, present.config.batch_size))
    overhead = 0.0
    if pace.seconds_per_image is not None and now.seconds_per_batch is not None:
        own = pace.seconds_per_image * len(present.images.train) / batches
        overhead = own - now.seconds_per_batch
    seconds = now.seconds_per_epoch(batches, overhead) if pace.seconds_per_epoch is None else pace.seconds_per_epoch
    measured = pace.seconds_per_epoch is not None
    found = ev.CostEstimated(
        change=change.name,
        after=freezing.describe(target),
        now=structs.replace(now.cost, seconds_per_epoch=seconds, measured=measured),
        then=structs.replace(then.cost, seconds_per_epoch=then.seconds_per_epoch(batches, max(0.0, overhead))),
    )
    return found, freezing.describe(target - before), freezing.describe(before - target)


def _try_proposed(present: Present, target: frozenset[str]) -> _Trial:
    model, freezing, bank = present.model, present.freezing, present.bank
    # A cache from before these moved would be taken for one that is valid.
    bank.weights_changed(moving_names(model))
    torch.set_num_threads(cpu_count())
    with freezing.proposed(target):
        cut = cut_model(model, freezing.head, bank.example())
        kept = bank.kept(cut)
        return _try(present, cut, kept)


def _kept_by(feed: Feed) -> Kept:
    if isinstance(feed, AugmentedFeed):
        return replace(_kept_by(feed.plain), live=feed.views.prefix)
    if isinstance(feed, LiveFeed):
        return Kept(0, ready=False, live=feed.prefix)
    assert isinstance(feed, CachedFeed)
    return Kept(sum(tensor.nbytes for tensor in feed.data), ready=True, live=None)


def _try(present: Present, cut: Cut, kept: Kept) -> _Trial:
    """Find out about the state of freezing that the model is in."""
    model, config, device = present.model, present.config, present.device
    trains = [parameter for parameter in model.parameters() if parameter.requires_grad]
    dtype = suffix_dtype(config.precision, device, trains_convolutions(model))
    example = present.bank.example()
    size = config.batch_size
    torch.set_num_threads(suffix_threads(cut.train))
    with eval_mode(model):
        with torch.no_grad():
            tensors = tuple(per_image(t, spec) for t, spec in zip(cut.prefix(example), cut.tensors, strict=True))
        labels = torch.zeros(len(example), dtype=torch.int64, device=device)
        feed = CachedFeed(cut.tensors, tensors, np.arange(len(example)), labels, device)

        def forward(count: int) -> Tensor:
            batch = _repeated(feed, count)
            with autocast(device, dtype):
                return F.cross_entropy(cut.evaluate(*batch.tensors), batch.labels)

        def train(count: int) -> None:
            torch.autograd.grad(forward(count), trains, allow_unused=True)

        def validate(count: int) -> None:
            with torch.no_grad():
                forward(count)

        known = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
        few, more = len(example) // 2, len(example)
        saved_few, saved_more = (saved_bytes(partial(forward, count), known) for count in (few, more))
        live_seconds = _live_seconds(present, kept.live) if kept.live is not None else 0.0
        # What is cached in spite of a live prefix is what validation reads.
        validation = trial_seconds(validate, size, device) / size + (0.0 if kept.bytes else live_seconds)
        batch: float | None = None
        with contextlib.suppress(torch.OutOfMemoryError):
            update = step_seconds(config, trains) / config.accumulate
            batch = trial_seconds(train, size, device) + live_seconds * size + update
    slope = (saved_more - saved_few) / (more - few)
    cost = ev.Cost(
        trainable_parameters=sum(p.numel() for p in trains),
        optimizer_bytes=state_bytes(config, trains),
        gradient_bytes=sum(p.nbytes for p in trains),
        activation_bytes=max(0, round(saved_more + slope * (size - more))),
        cache_bytes=kept.bytes,
        cache_ready=kept.ready,
        seconds_per_epoch=None,
        measured=False,
        measured_images=more,
    )
    return _Trial(cost, batch, validation * len(present.images.val))


def _repeated(feed: CachedFeed, count: int) -> Batch:
    """A batch of this size, made of the few images in the feed. Copied, as every batch is: it may be written into."""
    return next(iter(feed.batches([np.arange(count, dtype=np.int64) % len(feed.labels)])))


def _live_seconds(present: Present, prefix: Prefix) -> float:
    """Seconds an image takes from its file to the frontier."""
    size, example = present.config.batch_size, present.bank.example()
    rows = plain_batches(present.images.train[: 2 * size], size)
    started = time.monotonic()
    for _ in present.images.read(rows):
        pass
    reading = (time.monotonic() - started) / sum(map(len, rows))

    def run(count: int) -> None:
        prefix(example.index_select(0, torch.arange(count, device=example.device) % len(example)))

    computing = trial_seconds(run, size, present.device) / size
    # Images are decoded while an accelerator computes; on the CPU both share the cores.
    return reading + computing if present.device.type == "cpu" else max(reading, computing)
