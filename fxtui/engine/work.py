"""The work of a run: load, split, extract, train, and say how it ended."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from fxtui.config import RunConfig
from fxtui.engine.assemble import Assembly, build_freezing, check_input, images_for, load_for, preprocessing_for
from fxtui.engine.checkpoints.resume import Resumed
from fxtui.engine.checkpoints.writer import CheckpointWriter
from fxtui.engine.commands import Control
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.data.sources.source import ImageSource, open_source
from fxtui.engine.devices import resolve_device
from fxtui.engine.features.bank import FeatureBank
from fxtui.engine.features.extraction import ExtractionSettings
from fxtui.engine.metrics.batch_meter import NonFiniteLossError
from fxtui.engine.training.loop import StopNowError
from fxtui.engine.training.start import Training, start_training
from fxtui.protocol.events import (
    DataReady,
    ModelReady,
    PipelineStage,
    RunFinished,
    RunStatus,
    RunWarning,
)
from fxtui.protocol.schedule import Timetable
from fxtui.run.session.link import EngineLink


def work(config: RunConfig, link: EngineLink, source: ImageSource | None, resume: bool = False) -> RunFinished:
    """Do a run, or what is left of it, and return its last event.

    Raises:
        ConfigError: the configuration cannot be run; no image has been read then, unless images turn out broken.
    """
    started = time.monotonic()
    control = Control(link, Timetable.of(config.schedule), config.session)
    resumed = Resumed(link.run) if resume else None
    assembly = _assemble(config, link, source, resumed)
    # What was loaded has made a full collection due; in the middle of the extraction it would hold up all threads.
    gc.collect()
    loaded_at = time.monotonic()
    ended = _train(assembly, link, resumed, control)
    training = control.training
    parts = training.parts.clock.timings if training else {}
    timings = {"load": loaded_at - started, **parts, "total": time.monotonic() - started}
    return RunFinished(
        status=ended.status,
        best=training.parts.progress.best if training else None,
        final=training.parts.progress.final if training else None,
        timings={part: round(seconds, 4) for part, seconds in timings.items()},
        reason=ended.reason,
        exit_status=ended.exit_status,
    )


@dataclass(frozen=True, slots=True)
class _Ended:
    status: RunStatus
    reason: str = ""
    exit_status: int = 0


def _assemble(config: RunConfig, link: EngineLink, source: ImageSource | None, resumed: Resumed | None) -> Assembly:
    """All that a training is made of, as the checkpoint has it if there is one; says what it has found."""
    device = resolve_device(config.device)
    source = open_source(config.data) if source is None else source
    # A checkpoint holds every tensor, so the pretrained weights are not needed, nor a network to fetch them.
    loaded = load_for(config, len(source.classes), read_weights=resumed is None)
    freezing = build_freezing(loaded, config)
    preprocessing = preprocessing_for(config, loaded)
    images = images_for(config, source, preprocessing)
    loaded.module.to(device)
    size = preprocessing.crop
    blank = torch.zeros((2, 3, size, size), device=device)
    outputs = check_input(loaded.module, blank, loaded.name)
    if resumed:
        resumed.restore_images(images)
        resumed.restore_model(loaded.module, loaded.name)
        resumed.restore_freezing(freezing)
        loaded = replace(loaded, weights=resumed.weights)
        link.emit(resumed.continued(images, device, os.getpid()))
        if resumed.note:
            link.emit(RunWarning(text=resumed.note))
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
    return Assembly(config, loaded, freezing, images, device, outputs)


def _train(run: Assembly, link: EngineLink, resumed: Resumed | None, control: Control) -> _Ended:
    writer = CheckpointWriter(run.model, link.run, link.emit)
    # However it ends, nothing is being written any more when somebody else may write.
    with contextlib.closing(writer):
        return _with_writer(run, writer, link, resumed, control)


def _with_writer(
    run: Assembly, writer: CheckpointWriter, link: EngineLink, resumed: Resumed | None, control: Control
) -> _Ended:
    try:
        settings = ExtractionSettings.of(run.config, run.images)
        bank = FeatureBank(run.model, run.images, run.device, settings, link.emit, control.check_stop)
        training = control.training = start_training(run, bank, writer, link.emit, resumed)
    except StopNowError as stop:
        return _Ended("stopped", "before training began", 130 if stop.interrupted else 0)
    try:
        return _trained(training, control)
    except NonFiniteLossError as error:
        training.keeping.flush()
        rate, epoch = training.parts.optimization.base_lr, training.parts.progress.epoch
        kept = f"the state after epoch {epoch} is kept" if epoch else "nothing to keep yet"
        advice = f"learning rate {rate:g} is likely too high, try {rate / 10:g}"
        return _Ended("failed", f"{error}: {advice}; {kept}", 1)


def _trained(training: Training, control: Control) -> _Ended:
    progress = training.parts.progress
    try:
        training.loop.run(control.obey, control.hold)
    except StopNowError as stop:
        saved = "saved" if training.keeping.checkpoint() else "which could not be saved"
        status = 130 if stop.interrupted else 0
        return _Ended("stopped", f"at step {progress.step}, {saved}", status)
    if progress.epoch >= progress.epochs:
        return _Ended("finished")
    if training.plan.stop_reason:
        return _Ended("finished", training.plan.stop_reason)
    return _Ended("stopped", f"after epoch {progress.epoch}, as asked")


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
