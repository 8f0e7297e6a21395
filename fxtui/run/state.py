"""What a run is, as a fold over its events.

`RunState.apply` depends on nothing but the state and the event, so what is replayed from a journal equals what was
shown live. For speed the state is updated in place: whoever applies events owns it and shares it with no thread.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import nan
from statistics import median
from typing import Literal

from msgspec.structs import replace

from fxtui.run import events as ev

Phase = Literal[
    "starting", "loading", "extracting", "training", "validating", "paused", "finished", "stopped", "failed"
]
StageMark = Literal["waiting", "working", "done"]
ENDED: tuple[Phase, ...] = ("finished", "stopped", "failed")


@dataclass(slots=True)
class BatchSeries:
    """The training curve by batch, in columns; ``epoch`` counts fractions, ``time`` seconds since the start."""

    step: array[int] = field(default_factory=lambda: array("q"))
    epoch: array[float] = field(default_factory=lambda: array("d"))
    time: array[float] = field(default_factory=lambda: array("d"))
    loss: array[float] = field(default_factory=lambda: array("d"))
    accuracy: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.step)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a point of the curve, e.g. a change of freezing."""

    step: int
    epoch: float
    time: float
    kind: Literal["freeze", "lr", "pause"]
    text: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line for the log: when, how serious, what."""

    t: float
    level: Literal["info", "warning", "error", "output"]
    text: str


@dataclass(slots=True)
class RunState:
    """Everything a view may show of a run."""

    name: str = ""
    version: str = ""
    config: dict[str, object] = field(default_factory=dict)
    started: float = 0.0
    updated: float = 0.0
    seq: int = -1
    phase: Phase = "starting"
    reason: str = ""
    epochs_planned: int = 0
    data: ev.DataReady | None = None
    skipped: list[ev.SkippedFile] = field(default_factory=list)
    model: ev.ModelReady | None = None
    stages: dict[ev.StageName, ev.PipelineStage] = field(default_factory=dict)
    extraction: ev.ExtractionProgress | None = None
    cache: ev.CacheReady | None = None
    layers: list[ev.LayerRow] = field(default_factory=list)
    parameters: int = 0
    trainable_parameters: int = 0
    batch: ev.BatchEnd | None = None
    validation: ev.ValidationProgress | None = None
    series: BatchSeries = field(default_factory=BatchSeries)
    epochs: list[ev.EpochEnd] = field(default_factory=list)
    best: ev.EpochEnd | None = None
    evaluation: ev.Evaluation | None = None
    marks: list[Mark] = field(default_factory=list)
    checkpoints: dict[str, ev.CheckpointSaved] = field(default_factory=dict)
    log: list[LogLine] = field(default_factory=list)
    finished: ev.RunFinished | None = None
    _before_pause: Phase = "training"

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.phase in ENDED

    @property
    def elapsed(self) -> float:
        """Seconds from the first to the latest event."""
        return max(0.0, self.updated - self.started)

    @property
    def step(self) -> int:
        """Batches trained so far."""
        return self.batch.step if self.batch else 0

    @property
    def seconds_per_epoch(self) -> float | None:
        """The median of the last three epochs with the present freezing, None before the first has ended."""
        changed = max((mark.step for mark in self.marks if mark.kind == "freeze"), default=-1)
        recent = [epoch.seconds for epoch in self.epochs[-3:] if epoch.step > changed]
        return median(recent) if recent else None

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the last epochs, None before the first has ended and after the run has."""
        pace = self.seconds_per_epoch
        if pace is None or self.ended:
            return None
        part = self.batch.batch / self.batch.batches if self.batch and self.batch.epoch > len(self.epochs) else 0.0
        return pace * max(0.0, self.epochs_planned - len(self.epochs) - part)

    def stage_mark(self, stage: ev.StageName) -> StageMark:
        """Whether a pipeline stage waits, works or is done."""
        position = ev.STAGES.index(stage)
        if self.finished and self.finished.status == "finished":
            return "done"
        phase = self._before_pause if self.phase == "paused" else self.phase
        active = {"extracting": (0, 1, 2), "training": (3,), "validating": (4,)}.get(phase, ())
        if position in active:
            return "working"
        if position < 3:
            return "done" if self.cache or self.epochs else "waiting"
        return "done" if self.epochs or position < min(active, default=0) else "waiting"

    def apply(self, event: ev.Event) -> RunState:
        """Take in one event and return the state itself."""
        self.updated, self.seq = event.t, event.seq
        match event:
            case ev.RunStarted():
                self.name, self.version, self.config = event.name, event.version, event.config
                self.started, self.epochs_planned = event.t, event.epochs
            case ev.DataReady():
                self.data, self.phase = event, "loading"
                self.skipped.extend(event.skipped)
                self._log(event, "info", _describe_data(event))
                self._log_skipped(event)
            case ev.ImagesSkipped():
                self.skipped.extend(event.skipped)
                self._log_skipped(event)
            case ev.ModelReady():
                self.model, self.parameters = event, event.parameters
                self._log(event, "info", _describe_weights(event))
            case ev.PipelineStage():
                self.stages[event.stage] = event
            case ev.ExtractionProgress():
                self.extraction, self.phase = event, "extracting"
            case ev.CacheReady():
                self.cache, self.phase = event, "training"
                if event.note:
                    self._log(event, "info", event.note)
            case ev.Layers():
                self.layers = list(event.rows)
                self.parameters, self.trainable_parameters = event.parameters, event.trainable_parameters
            case ev.LayerFigures():
                self._apply_figures(event)
            case ev.FreezeChanged():
                self._apply_freeze(event)
            case ev.BatchEnd():
                self._apply_batch(event)
            case ev.ValidationProgress():
                self.validation, self.phase = event, "validating"
            case ev.EpochEnd():
                self.epochs.append(event)
                self.best = event if event.best else self.best
                self.phase = "training"
                text = f"epoch {event.epoch}  val {event.val_accuracy:.1%}  {event.observation}"
                self._log(event, "info", text.rstrip())
            case ev.Evaluation():
                self.evaluation = event
            case ev.CheckpointSaved():
                self.checkpoints[event.kind] = event
            case ev.CommandDone():
                self._log(event, "info", event.text)
                if event.command == "set_lr":
                    self._mark(event, "lr", event.text)
            case ev.CommandRefused():
                self._log(event, "warning", event.reason)
            case ev.Warning():
                self._log(event, "warning", event.text)
            case ev.Output():
                self._log(event, "output", event.text)
            case ev.EpochsChanged():
                self.epochs_planned = event.after
            case ev.RunPaused():
                self._before_pause, self.phase = self.phase, "paused"
                self._mark(event, "pause", "paused")
            case ev.RunResumed():
                self.phase = self._before_pause
            case ev.RunFinished():
                self.finished, self.phase, self.reason = event, event.status, event.reason
                level: Literal["error", "info"] = "error" if event.status == "failed" else "info"
                self._log(event, level, f"{event.status}: {event.reason}" if event.reason else event.status)
        return self

    def _apply_freeze(self, event: ev.FreezeChanged) -> None:
        changed = {row.path: row for row in event.rows}
        self.layers = [changed.get(row.path, row) for row in self.layers]
        self.trainable_parameters = event.trainable_parameters
        self._mark(event, "freeze", event.text)

    def _apply_figures(self, event: ev.LayerFigures) -> None:
        found = {figure.path: figure for figure in event.figures}
        self.layers = [
            replace(row, grad_norm=found[row.path].grad_norm, update_ratio=found[row.path].update_ratio)
            if row.path in found
            else row
            for row in self.layers
        ]

    def _apply_batch(self, event: ev.BatchEnd) -> None:
        self.batch, self.phase = event, "training"
        series = self.series
        series.step.append(event.step)
        series.epoch.append(event.epoch - 1 + event.batch / event.batches)
        series.time.append(event.t - self.started)
        series.loss.append(nan if event.loss is None else event.loss)
        series.accuracy.append(event.accuracy)

    def _mark(self, event: ev.Event, kind: Literal["freeze", "lr", "pause"], text: str) -> None:
        epoch = self.batch.epoch - 1 + self.batch.batch / self.batch.batches if self.batch else 0.0
        self.marks.append(Mark(self.step, epoch, event.t - self.started, kind, text))

    def _log(self, event: ev.Event, level: Literal["info", "warning", "error", "output"], text: str) -> None:
        self.log.append(LogLine(event.t, level, text))

    def _log_skipped(self, event: ev.DataReady | ev.ImagesSkipped) -> None:
        for file in event.skipped:
            self._log(event, "warning", f"skipped {file.path}: {file.reason}")


def fold(events: Iterable[ev.Event]) -> RunState:
    """The state after all of these events."""
    state = RunState()
    for event in events:
        state.apply(event)
    return state


def _describe_data(event: ev.DataReady) -> str:
    text = f"{event.source}: {event.train:,} train, {event.val:,} validation, {len(event.classes)} classes"
    if event.not_images:
        text += f"; {event.not_images} file{'s' * (event.not_images > 1)} left out: not images"
    return text


def _describe_weights(event: ev.ModelReady) -> str:
    weights = event.weights
    if weights.source == "none":
        return f"{event.backbone}: random weights, nothing loaded"
    text = f"{event.backbone}: {weights.loaded} of {weights.total} tensors from {weights.source}"
    if weights.missing:
        text += f"; {len(weights.missing)} missing"
    if weights.unexpected:
        text += f"; {len(weights.unexpected)} unexpected"
    return text
