"""What a run is, as a fold over its events.

`RunState.apply` depends on nothing but the state and the event, so what is replayed from a journal equals what was
shown live. For speed the state is updated in place: whoever applies events owns it and shares it with no thread.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import nan
from statistics import median
from typing import Literal

from msgspec.structs import replace

from fxtui.protocol import events as ev
from fxtui.protocol.records import LayerRow, SkippedFile

Phase = Literal[
    "starting", "loading", "extracting", "training", "validating", "paused", "holding", "finished", "stopped", "failed"
]
StageMark = Literal["waiting", "working", "done"]
_PREDICTIONS_KEPT = 64
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

    def cut_after(self, step: int) -> None:
        """Drop what comes after this batch."""
        kept = bisect_right(self.step, step)
        del self.step[kept:], self.epoch[kept:], self.time[kept:], self.loss[kept:], self.accuracy[kept:]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a point of the curve, e.g. a change of freezing. ``seq`` is its event's."""

    step: int
    epoch: float
    time: float
    kind: Literal["freeze", "lr", "pause"]
    text: str
    seq: int = -1


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
    # The process that trains, or was the last to.
    pid: int = 0
    host: str = ""
    phase: Phase = "starting"
    reason: str = ""
    epochs_planned: int = 0
    data: ev.DataReady | None = None
    skipped: list[SkippedFile] = field(default_factory=list)
    model: ev.ModelReady | None = None
    stages: dict[ev.StageName, ev.PipelineStage] = field(default_factory=dict)
    extraction: ev.ExtractionProgress | None = None
    cache: ev.CacheReady | None = None
    layers: list[LayerRow] = field(default_factory=list)
    parameters: int = 0
    trainable_parameters: int = 0
    batch: ev.BatchEnd | None = None
    validation: ev.ValidationProgress | None = None
    series: BatchSeries = field(default_factory=BatchSeries)
    epochs: list[ev.EpochEnd] = field(default_factory=list)
    best: ev.EpochEnd | None = None
    evaluation: ev.Evaluation | None = None
    estimate: ev.CostEstimated | None = None
    # The images asked about last, by name.
    predictions: dict[str, ev.Prediction] = field(default_factory=dict)
    # By module path and epoch: the last update-to-weight ratio that was measured.
    ratios: dict[str, dict[int, float]] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    commands: list[ev.CommandDone] = field(default_factory=list)
    checkpoints: dict[str, ev.CheckpointSaved] = field(default_factory=dict)
    log: list[LogLine] = field(default_factory=list)
    holding: ev.RunHolding | None = None
    finished: ev.RunFinished | None = None
    # How many changes of freezing can be undone.
    freeze_depth: int = 0
    _before_pause: Phase = "training"
    _away: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.phase in ENDED

    @property
    def only_head_trains(self) -> bool:
        """Whether all stages but the head are frozen, as far as is known."""
        return all(row.trainable == "none" for row in self.layers if row.is_stage and not row.is_head)

    @property
    def elapsed(self) -> float:
        """Seconds from the first to the latest event, less those in which the run had ended and not yet gone on."""
        return max(0.0, self.updated - self.started - self._away)

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
        if pace is None or self.ended or self.holding:
            return None
        part = self.batch.batch / self.batch.batches if self.batch and self.batch.epoch > len(self.epochs) else 0.0
        return pace * max(0.0, self.epochs_planned - len(self.epochs) - part)

    def stage_mark(self, stage: ev.StageName) -> StageMark:
        """Whether a pipeline stage waits, works or is done."""
        position = ev.STAGES.index(stage)
        if self.holding or (self.finished and self.finished.status == "finished"):
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
        before, self.updated, self.seq = self.updated, event.t, event.seq
        match event:
            case ev.Prediction():
                self.predictions.pop(event.image, None)
                self.predictions[event.image] = event
                if len(self.predictions) > _PREDICTIONS_KEPT:
                    del self.predictions[next(iter(self.predictions))]
            case ev.RunStarted():
                self.name, self.version, self.config = event.name, event.version, event.config
                self.started, self.epochs_planned = event.t, event.epochs
                self.pid, self.host = event.pid, event.host
            case ev.DataReady():
                self.data, self.phase = event, "loading"
                self._log(event, "info", _describe_data(event))
                self._skip(event)
            case ev.ImagesSkipped():
                self._skip(event)
            case ev.ModelReady():
                self.model, self.parameters = event, event.parameters
                self._log(event, "info", _describe_weights(event))
            case ev.PipelineStage():
                self.stages[event.stage] = event
            case ev.ExtractionProgress():
                self.extraction = event
                self._enter("extracting")
            case ev.CacheReady():
                self.cache = event
                self._enter("training")
                if event.note:
                    self._log(event, "info", event.note)
            case ev.Layers():
                self.layers = self._with_figures(event.rows)
                self.parameters, self.trainable_parameters = event.parameters, event.trainable_parameters
            case ev.LayerFigures():
                self._apply_figures(event)
            case ev.CostEstimated():
                self.estimate = event
            case ev.FreezeChanged():
                self._apply_freeze(event)
            case ev.BatchEnd():
                self._apply_batch(event)
            case ev.ValidationProgress():
                self.validation = event
                self._enter("validating")
            case ev.EpochEnd():
                self.epochs.append(event)
                self.best = event if event.best else self.best
                self._enter("training")
                text = f"epoch {event.epoch}  val {event.val_accuracy:.1%}  {event.observation}"
                self._log(event, "info", text.rstrip())
            case ev.Evaluation():
                self.evaluation = event
            case ev.CheckpointSaved():
                self.checkpoints[event.kind] = event
            case ev.CommandDone():
                self.commands.append(event)
                if event.text:
                    self._log(event, "info", event.text)
                if event.command == "set_lr":
                    self._mark(event, "lr", event.text)
            case ev.CommandRefused():
                self._log(event, "warning", event.reason)
            case ev.RunWarning():
                self._log(event, "warning", event.text)
            case ev.Output():
                self._log(event, "output", event.text)
            case ev.EpochsChanged():
                self.epochs_planned = event.after
            case ev.RunPaused():
                self._before_pause, self.phase = self.phase, "paused"
                self._mark(event, "pause", "paused")
            case ev.RunResumed():
                self.phase, self.holding = self._before_pause, None
            case ev.RunHolding():
                self.holding, self.phase, self._before_pause = event, "holding", "training"
                self._log(event, "info", f"holds: {event.reason}")
            case ev.RunContinued():
                self._away += event.t - before
                self._go_back(event)
            case ev.RunFinished():
                self.finished, self.phase, self.reason = event, event.status, event.reason
                self.holding = None
                level: Literal["error", "info"] = "error" if event.status == "failed" else "info"
                self._log(event, level, f"{event.status}: {event.reason}" if event.reason else event.status)
        return self

    def _enter(self, phase: Phase) -> None:
        """Work goes on with this; while the run waits, too, if features are computed for a change asked for then."""
        if self.phase in ("paused", "holding"):
            self._before_pause = phase
        else:
            self.phase = phase

    def _go_back(self, event: ev.RunContinued) -> None:
        """Forget what came after the checkpoint: the run does it again."""
        # Killed between writing it and saying so, a run said nothing more; without any, it begins anew.
        unsaid = self.seq if event.step else -1
        saved = max((kept.seq for kept in self.checkpoints.values() if kept.step == event.step), default=unsaid)
        self.series.cut_after(event.step)
        # An epoch may be in the journal whose batches are in the checkpoint and whose validation is not.
        self.epochs = [end for end in self.epochs if end.step <= event.step and end.epoch < event.epoch]
        self.best = next((end for end in reversed(self.epochs) if end.best), None)
        if self.evaluation and self.evaluation.epoch > max((end.epoch for end in self.epochs), default=0):
            self.evaluation = None
        self.marks = [mark for mark in self.marks if mark.step <= event.step and mark.seq <= saved]
        # A stop is over once the run goes on. A command says which batch came next: one more than were done.
        self.commands = [
            done
            for done in self.commands
            if done.step <= event.step + 1 and done.seq <= saved and done.command != "stop"
        ]
        self.predictions = {name: kept for name, kept in self.predictions.items() if kept.step <= event.step}
        self.ratios = {
            path: {epoch: ratio for epoch, ratio in row.items() if epoch < event.epoch}
            for path, row in self.ratios.items()
        }
        self.checkpoints = {kind: kept for kind, kept in self.checkpoints.items() if kept.step <= event.step}
        self.batch = self._batch_at(event)
        self.extraction = self.cache = self.validation = self.finished = self.holding = None
        self.phase, self.reason, self._before_pause = "loading", "", "training"
        self.epochs_planned, self.pid, self.host = event.epochs, event.pid, event.host
        text = f"goes on from epoch {event.epoch}, after step {event.step}"
        self._log(event, "info" if event.exact else "warning", f"{text}: {event.note}" if event.note else text)

    def _batch_at(self, event: ev.RunContinued) -> ev.BatchEnd | None:
        """The batch that the checkpoint was taken after, as far as the journal knows it."""
        if self.batch is None or event.step == 0:
            return None
        batches = self.batch.batches
        epoch = -(-event.step // batches)
        series = self.series
        return replace(
            self.batch,
            epoch=epoch,
            step=event.step,
            batch=event.step - (epoch - 1) * batches,
            loss=series.loss[-1] if series else None,
            accuracy=series.accuracy[-1] if series else 0.0,
        )

    def _apply_freeze(self, event: ev.FreezeChanged) -> None:
        changed = {row.path: row for row in event.rows}
        self.layers = [changed.get(row.path, row) for row in self.layers]
        self.trainable_parameters = event.trainable_parameters
        self.freeze_depth = event.depth
        # It was the price of a change from what no longer holds.
        self.estimate = None
        self._mark(event, "freeze", event.text)

    def _with_figures(self, rows: Iterable[LayerRow]) -> list[LayerRow]:
        """The rows, with the last figures measured of those that train and did before."""
        known = {row.path: row for row in self.layers if row.trainable != "none"}
        return [
            replace(row, grad_norm=before.grad_norm, update_ratio=before.update_ratio)
            if row.trainable != "none" and (before := known.get(row.path))
            else row
            for row in rows
        ]

    def _apply_figures(self, event: ev.LayerFigures) -> None:
        found = {figure.path: figure for figure in event.figures}
        epoch = self.batch.epoch if self.batch else 1
        for measured in event.figures:
            self.ratios.setdefault(measured.path, {})[epoch] = measured.update_ratio
        self.layers = [
            replace(row, grad_norm=figure.grad_norm, update_ratio=figure.update_ratio, lr=figure.lr or row.lr)
            if (figure := found.get(row.path)) is not None
            else row
            for row in self.layers
        ]

    def _apply_batch(self, event: ev.BatchEnd) -> None:
        self.batch = event
        self._enter("training")
        series = self.series
        series.step.append(event.step)
        series.epoch.append(event.epoch - 1 + event.batch / event.batches)
        series.time.append(event.t - self.started - self._away)
        series.loss.append(nan if event.loss is None else event.loss)
        series.accuracy.append(event.accuracy)

    def _mark(self, event: ev.Event, kind: Literal["freeze", "lr", "pause"], text: str) -> None:
        epoch = self.batch.epoch - 1 + self.batch.batch / self.batch.batches if self.batch else 0.0
        time = event.t - self.started - self._away
        self.marks.append(Mark(self.step, epoch, time, kind, text, event.seq))

    def _log(self, event: ev.Event, level: Literal["info", "warning", "error", "output"], text: str) -> None:
        self.log.append(LogLine(event.t, level, text))

    def _skip(self, event: ev.DataReady | ev.ImagesSkipped) -> None:
        # A run that goes on from a checkpoint names the same files again.
        known = set(self.skipped)
        for file in event.skipped:
            if file in known:
                continue
            self.skipped.append(file)
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
