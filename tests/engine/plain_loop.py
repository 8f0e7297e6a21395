"""The training loop one would have written in plain PyTorch, with the options that a run has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.config import RunConfig
from fxtui.engine.assemble import images_for, preprocessing_for
from fxtui.engine.backbones.load import load_model
from fxtui.engine.data.batch_order import epoch_batches, plain_batches
from fxtui.engine.data.normalise import Normaliser
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.data.sources.source import open_source
from fxtui.machine.cpu import cpu_count
from tests.engine.invariants import plain_modes


def rows_of(config: RunConfig) -> tuple[ImageRows, nn.Module]:
    """The images and the model that a run with this configuration starts with."""
    source = open_source(config.data)
    loaded = load_model(config.model, len(source.classes), config.seed)
    return images_for(config, source, preprocessing_for(config, loaded)), loaded.module


def pixels(images: ImageRows, rows: NDArray[np.int64]) -> Tensor:
    """All pixels of these rows, normalised."""
    normalise = Normaliser(images.preprocessing, torch.device("cpu"))
    return torch.cat([normalise(batch.pixels) for _, batch in images.read(plain_batches(rows, 64))])


@dataclass
class Learned:
    """What came of it, by epoch; ``lr`` is the rate of an epoch's last step."""

    model: nn.Module
    train: list[float] = field(default_factory=list)
    val: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)


def learn(
    config: RunConfig,
    rate: Callable[[int], float] = lambda _: 1.0,
    after_epoch: Callable[[torch.optim.Optimizer, float], None] = lambda *_: None,
    epochs: int = 0,
) -> Learned:
    """Train as a configuration says: whole model, every image, every epoch, one rate for all that trains.

    ``rate`` multiplies the learning rate by step, ``after_epoch`` is told the validation loss.
    """
    # Sums over another number of threads round differently, and train-mode BatchNorm makes much of it.
    torch.set_num_threads(cpu_count())
    train = config.train
    images, model = rows_of(config)
    for name, parameter in model.named_parameters():
        thawed = any(name.startswith(path + ".") for path in config.freeze.trainable)
        parameter.requires_grad_(parameter.requires_grad or thawed)
    optimizer = build(config, [p for p in model.parameters() if p.requires_grad])
    everything, labels = pixels(images, np.arange(len(images))), torch.from_numpy(images.labels)
    weights = None
    if train.class_weights == "balanced":
        known = images.labels[images.train]
        weights = torch.from_numpy(compute_class_weight("balanced", classes=np.unique(known), y=known)).float()
    learned = Learned(model)
    torch.manual_seed(config.seed)
    step = 0
    lr = [group["lr"] for group in optimizer.param_groups]
    for epoch in range(epochs or train.epochs):
        plain_modes(model, config.freeze.batchnorm)
        batches = epoch_batches(images.train, config.seed, epoch, train.batch_size)
        total = 0.0
        for start in range(0, len(batches), train.accumulate):
            optimizer.zero_grad()
            together = batches[start : start + train.accumulate]
            share = [float(weights[labels[rows]].sum()) if weights is not None else len(rows) for rows in together]
            for rows, part in zip(together, share, strict=True):
                for group, base in zip(optimizer.param_groups, lr, strict=True):
                    group["lr"] = base * rate(step)
                loss = F.cross_entropy(
                    model(everything[rows]), labels[rows], weights, label_smoothing=train.label_smoothing
                )
                # The gradient of the mean over all images of the step, however they came.
                (loss * (part / sum(share))).backward()
                total += loss.item() * len(rows)
                step += 1
            if train.grad_clip:
                nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], train.grad_clip)
            optimizer.step()
        learned.lr.append(optimizer.param_groups[0]["lr"])
        learned.train.append(total / len(images.train))
        model.eval()
        with torch.no_grad():
            logits = model(everything[images.val])
        learned.val.append(F.cross_entropy(logits, labels[images.val]).item())
        learned.accuracy.append(float((logits.argmax(1) == labels[images.val]).float().mean()))
        for group, base in zip(optimizer.param_groups, lr, strict=True):
            group["lr"] = base
        after_epoch(optimizer, learned.val[-1])
        lr = [group["lr"] for group in optimizer.param_groups]
    return learned


def build(config: RunConfig, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    train = config.train
    if train.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=train.lr, momentum=train.momentum, weight_decay=train.weight_decay)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[train.optimizer]
    return kind(parameters, lr=train.lr, weight_decay=train.weight_decay)
