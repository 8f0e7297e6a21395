"""What a run with a configuration would be like: counted, and tried out on random weights and a few made-up images."""

from __future__ import annotations

import math
import time
from functools import partial

import numpy as np
import torch
from msgspec import structs
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.config import RunConfig
from fxtui.engine.assemble import build_freezing, check_input, images_for, load_for, preprocessing_for, split_for
from fxtui.engine.backbones.load import LoadedModel, weights_place
from fxtui.engine.backbones.names import check_model_name
from fxtui.engine.backbones.registry import weight_names
from fxtui.engine.costs.trials import saved_bytes, step_seconds, trial_seconds, unnoticed
from fxtui.engine.data.batch_order import epoch_batches, plain_batches
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.data.sources.source import ImageSource, needs_torch, open_source
from fxtui.engine.data.sources.torchvision_sets import NotHereError, open_torchvision
from fxtui.engine.devices import available_devices, extraction_dtype, resolve_device, suffix_threads
from fxtui.engine.features.feeds import per_image
from fxtui.engine.features.prefix import accelerate
from fxtui.engine.freezing.modes import eval_mode
from fxtui.engine.frontier.cut import cut_model
from fxtui.engine.frontier.records import Cut
from fxtui.engine.layers.table import trainable_count
from fxtui.engine.optimization.optimizer import state_bytes
from fxtui.engine.optimization.precision import autocast, suffix_dtype, trains_convolutions
from fxtui.machine.cpu import cpu_count
from fxtui.run.preview import Preview

_EXAMPLES = 4
# A larger picture takes more time and memory than a glance at a form is worth.
_LARGEST = 512
# About what the training loop itself takes for a batch, beside the network.
_BOOKKEEPING_SECONDS = 8e-4
_READ_AT_ONCE, _EXTRACTED_AT_ONCE = 8, 32
# The head's own width does not matter to what is said of a backbone whose data is not here.
_ANY_CLASSES = 2


def preview(config: RunConfig, source: ImageSource | None = None) -> Preview:
    """Find out what a run would be like. Takes up to a few seconds; nothing is downloaded and no weights are read.

    ``source`` is the opened image source, where that was possible without torch. A backbone that is a factory of the
    user's is not called, so nothing is known of it.

    Raises:
        ConfigError: the configuration cannot be run.
    """
    check_model_name(config.model)
    device = resolve_device(config.device)
    source = source or _source(config)
    found = Preview(device=str(device), devices=available_devices(), weight_names=weight_names(config.model.backbone))
    if source is None:
        found = structs.replace(found, notes=("the data set is downloaded when the run starts",))
    else:
        found = _with_data(found, config, source)
    if ":" in config.model.backbone:
        return structs.replace(found, notes=(*found.notes, "the factory is called when the run starts"))
    loaded = load_for(config, found.classes or _ANY_CLASSES, read_weights=False)
    build_freezing(loaded, config)
    size = loaded.preprocessing.at_size(config.data.image_size).crop
    found = structs.replace(
        found,
        size=size,
        features=loaded.features,
        stages=loaded.stages,
        weights=weights_place(config.model),
    )
    if found.classes is not None:
        trains = [p for p in loaded.module.parameters() if p.requires_grad]
        found = structs.replace(
            found,
            parameters=sum(p.numel() for p in loaded.module.parameters()),
            trainable_parameters=trainable_count(loaded.module),
            optimizer_bytes=state_bytes(config.train, trains),
            gradient_bytes=sum(p.nbytes for p in trains),
        )
    if size > _LARGEST:
        return found
    check_input(loaded.module, torch.zeros((2, 3, size, size)), loaded.name)
    with unnoticed(device):
        try:
            return _with_cut(found, config, loaded, device, source)
        except torch.OutOfMemoryError:
            return structs.replace(found, notes=(*found.notes, f"not enough memory on {device} to try a few images"))


def _source(config: RunConfig) -> ImageSource | None:
    """The source, or None where it would have to be downloaded."""
    if not needs_torch(config.data):
        return open_source(config.data)
    try:
        return open_torchvision(config.data.source.partition(":")[2], download=False)
    except NotHereError:
        return None


def _with_data(found: Preview, config: RunConfig, source: ImageSource) -> Preview:
    split = split_for(config, source)
    train, val = len(split.train), len(split.val)
    return structs.replace(
        found,
        images=train + val,
        classes=len(source.classes),
        train=train,
        val=val,
        presized=source.presized,
        own_split=source.own_split is not None and bool((source.own_split > 0).any()),
        epoch_batches=len(epoch_batches(np.arange(train), 0, 0, config.train.batch_size)),
    )


def _with_cut(
    found: Preview, config: RunConfig, loaded: LoadedModel, device: torch.device, source: ImageSource | None
) -> Preview:
    """With what follows from where the model is cut; random weights are cut where pretrained ones are."""
    assert found.size is not None
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((_EXAMPLES, 3, found.size, found.size), generator=generator).to(device)
    loaded.module.to(device)
    cut = cut_model(loaded.module, loaded.head, images)
    if cut.note:
        # Random weights can overflow where pretrained ones do not, so the run may well cut it otherwise.
        return structs.replace(found, notes=(*found.notes, cut.note))
    trial = _Trial(cut, loaded.module, config, device, images)
    activations = trial.activation_bytes()
    # What runs the frozen layers in every batch reads images in every batch, too: that is not tried.
    if source is not None and config.data.augment == "none" and config.cache.enabled:
        used = images_for(config, source, preprocessing_for(config, loaded))
        found = structs.replace(
            found,
            epoch_seconds=trial.epoch_seconds(len(used.train), len(used.val)),
            extract_seconds=trial.extract_seconds(used),
        )
    dtype = torch.float32 if cut.at_input else extraction_dtype(config.train.precision, device)
    rows = found.images if config.data.augment == "none" else found.val
    per_row = sum(int(np.prod(spec.image_shape, dtype=np.int64)) for spec in cut.tensors) * dtype.itemsize
    cached = None if rows is None else rows * per_row if config.cache.enabled else 0
    return structs.replace(
        found,
        frontier=tuple(spec.image_shape for spec in cut.tensors),
        activation_bytes=activations,
        cache_bytes=cached,
        # Where the pretrained network differs too much at less precision, the run falls back to float32.
        cache_is_exact=dtype == torch.float32,
    )


class _Trial:
    """What is tried out on a few images [n, 3, H, W], with the network cut."""

    def __init__(self, cut: Cut, model: nn.Module, config: RunConfig, device: torch.device, images: Tensor) -> None:
        self._cut = cut
        self._model = model
        self._train = config.train
        self._device = device
        self._images = images
        self._dtype = suffix_dtype(config.train.precision, device, trains_convolutions(model))
        self._trains = [parameter for parameter in model.parameters() if parameter.requires_grad]
        with eval_mode(model), torch.no_grad():
            self._tensors = tuple(per_image(t, spec) for t, spec in zip(cut.prefix(images), cut.tensors, strict=True))

    def activation_bytes(self) -> int:
        """What a batch keeps for its backward pass, scaled from a few images."""
        known = {t.untyped_storage().data_ptr() for t in (*self._model.parameters(), *self._model.buffers())}
        with eval_mode(self._model):
            few, more = (saved_bytes(partial(self._loss, count), known) for count in (_EXAMPLES // 2, _EXAMPLES))
        slope = (more - few) / (_EXAMPLES - _EXAMPLES // 2)
        return max(0, round(more + slope * (self._train.batch_size - _EXAMPLES)))

    def epoch_seconds(self, train: int, val: int) -> float:
        """Seconds that an epoch takes, with features from the cache."""
        size = self._train.batch_size

        def learn(count: int) -> None:
            torch.autograd.grad(self._loss(count), self._trains, allow_unused=True)

        def validate(count: int) -> None:
            with torch.no_grad():
                self._loss(count)

        torch.set_num_threads(suffix_threads(self._cut.train))
        with eval_mode(self._model):
            update = step_seconds(self._train, self._trains) / self._train.accumulate
            batch = trial_seconds(learn, size, self._device) + update + _BOOKKEEPING_SECONDS
            return batch * math.ceil(train / size) + trial_seconds(validate, size, self._device) * val / size

    def extract_seconds(self, rows: ImageRows) -> float:
        """Seconds until all images are read and their features computed, if none are in a cache."""
        some = plain_batches(rows.train[: 3 * _READ_AT_ONCE], _READ_AT_ONCE)
        started = time.monotonic()
        for _ in rows.read(some):
            pass
        reading = (time.monotonic() - started) / sum(map(len, some))
        torch.set_num_threads(cpu_count())
        started = time.monotonic()
        with torch.no_grad():
            prefix, _, _ = accelerate(self._cut.prefix, self._train.precision, self._device, (self._images,))
            preparing = time.monotonic() - started

            def compute(count: int) -> None:
                prefix(self._images.index_select(0, self._which(count)))

            computing = trial_seconds(compute, _EXTRACTED_AT_ONCE, self._device) / _EXTRACTED_AT_ONCE
        # Images are decoded while an accelerator computes; on the CPU both share the cores.
        each = reading + computing if self._device.type == "cpu" else max(reading, computing)
        return preparing + each * len(rows)

    def _which(self, count: int) -> Tensor:
        return torch.arange(count, device=self._device) % len(self._images)

    def _loss(self, count: int) -> Tensor:
        which, labels = self._which(count), torch.zeros(count, dtype=torch.int64, device=self._device)
        batch = (s.arrange(t.index_select(0, which)) for t, s in zip(self._tensors, self._cut.tensors, strict=True))
        with autocast(self._device, self._dtype):
            return F.cross_entropy(self._cut.evaluate(*batch), labels)
