"""The work of a run: load, split, extract, train, and say how it ended."""

from __future__ import annotations

import time

import numpy as np
import torch

from fxtui.config import RunConfig
from fxtui.engine.control import Control
from fxtui.engine.data.source import ImageSource, open_source
from fxtui.engine.data.split import make_split
from fxtui.engine.devices import resolve_device
from fxtui.engine.features import FeatureBank
from fxtui.engine.images import ImageRows
from fxtui.engine.keeper import Keeper
from fxtui.engine.meter import NonFiniteLossError
from fxtui.engine.setup import build_freezing, check_input, load_for, preprocessing_for
from fxtui.engine.trainer import StopNowError, Trainer
from fxtui.run.events import (
    DataReady,
    ModelReady,
    PipelineStage,
    RunFinished,
    RunStatus,
)
from fxtui.run.session import EngineLink


def work(config: RunConfig, link: EngineLink, source: ImageSource | None) -> RunFinished:
    """Do a run and return its last event.

    Raises:
        ConfigError: the configuration cannot be run; no image has been read then, unless images turn out broken.
    """
    started = time.monotonic()
    control = Control(link)
    device = resolve_device(config.device)
    source = open_source(config.data) if source is None else source
    loaded = load_for(config, len(source.classes))
    freezing = build_freezing(loaded, config)
    preprocessing = preprocessing_for(config, loaded)
    split = make_split(
        source.labels,
        source.own_split,
        val_fraction=config.data.val_fraction,
        limit=config.data.limit,
        seed=config.seed,
        classes=source.classes,
    )
    images = ImageRows.of(source, preprocessing, split)
    loaded.module.to(device)
    size = preprocessing.crop
    blank = torch.zeros((2, 3, size, size), device=device)
    outputs = check_input(loaded.module, blank, loaded.name)
    link.emit(_data_ready(source, images))
    link.emit(
        ModelReady(
            backbone=loaded.name,
            device=_device_name(device),
            features=loaded.features,
            parameters=sum(p.numel() for p in loaded.module.parameters()),
            weights=loaded.weights,
            stages=loaded.stages,
            head=loaded.head,
            precision=config.train.precision,
        )
    )
    raw = (len(images), 3, size, size) if source.presized else (len(images), 3, None, None)
    link.emit(PipelineStage(stage="images", shape_in=raw, shape_out=raw))
    link.emit(PipelineStage(stage="preprocess", shape_in=raw, shape_out=(len(images), 3, size, size)))
    loaded_at = time.monotonic()
    status: RunStatus = "finished"
    reason, exit_status = "", 0
    trainer: Trainer | None = None
    try:
        bank = FeatureBank(
            loaded.module,
            images,
            device,
            config.train.precision,
            config.cache,
            config.data.batch_size,
            link.emit,
            control.check_stop,
        )
        keeper = Keeper(loaded.module, link.run, link.emit)
        trainer = control.trainer = Trainer(config, loaded, freezing, images, bank, keeper, device, outputs, link.emit)
        trainer.run(control.obey)
        if trainer.progress.epoch < trainer.progress.epochs:
            early = trainer.stop_reason
            status = "finished" if early else "stopped"
            reason = early or f"after epoch {trainer.progress.epoch}, as asked"
    except StopNowError as stop:
        status, exit_status = "stopped", 130 if stop.interrupted else 0
        if trainer is None:
            reason = "before training began"
        else:
            trainer.checkpoint()
            reason = f"at step {trainer.progress.step}, saved"
    except NonFiniteLossError as error:
        assert trainer is not None
        trainer.keeper.flush()
        status, exit_status = "failed", 1
        rate = config.train.lr if trainer is None else trainer.optimization.base_lr
        kept = (
            f"the state after epoch {trainer.progress.epoch} is kept"
            if trainer.progress.epoch
            else "nothing to keep yet"
        )
        reason = f"{error}: learning rate {rate:g} is likely too high, try {rate / 10:g}; {kept}"
    timings = {"load": loaded_at - started, **(trainer.timings if trainer else {}), "total": time.monotonic() - started}
    return RunFinished(
        status=status,
        best=trainer.progress.best if trainer else None,
        final=trainer.progress.final if trainer else None,
        timings={part: round(seconds, 4) for part, seconds in timings.items()},
        reason=reason,
        exit_status=exit_status,
    )


def _data_ready(source: ImageSource, images: ImageRows) -> DataReady:
    count = len(source.classes)
    return DataReady(
        source=source.name,
        classes=source.classes,
        train=len(images.train),
        val=len(images.val),
        train_per_class=tuple(np.bincount(images.labels[images.train], minlength=count).tolist()),
        val_per_class=tuple(np.bincount(images.labels[images.val], minlength=count).tolist()),
        not_images=source.not_images,
        skipped=source.skipped,
    )


def _device_name(device: torch.device) -> str:
    return "cuda:0" if device.type == "cuda" and device.index is None else str(device)
