"""Everything the engine has to say: small typed records, one JSON object each.

Every event carries ``t`` (seconds since the epoch) and ``seq`` (0, 1, 2 ... within the run); the recorder stamps them.
Shapes are lists of sizes; ``None`` stands for a size that differs from image to image.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from fxtui.protocol.naming import snake_case
from fxtui.protocol.records import ClassScore as ClassScore
from fxtui.protocol.records import CommandOrigin as CommandOrigin
from fxtui.protocol.records import Cost as Cost
from fxtui.protocol.records import EpochFigures as EpochFigures
from fxtui.protocol.records import ImageResult as ImageResult
from fxtui.protocol.records import LayerFigure as LayerFigure
from fxtui.protocol.records import LayerRow as LayerRow
from fxtui.protocol.records import Shape as Shape
from fxtui.protocol.records import Share as Share
from fxtui.protocol.records import SkippedFile as SkippedFile
from fxtui.protocol.records import Thumbnail as Thumbnail
from fxtui.protocol.records import WeightsReport as WeightsReport

StageName = Literal["images", "preprocess", "features", "train", "validate"]
CachePlace = Literal["device", "host", "file", "none"]
RunStatus = Literal["finished", "stopped", "failed"]

STAGES: tuple[StageName, ...] = ("images", "preprocess", "features", "train", "validate")


class Event(Struct, frozen=True, kw_only=True, tag_field="type", tag=snake_case):
    """The base of all events."""

    t: float = 0.0
    seq: int = -1


class RunStarted(Event, frozen=True, kw_only=True):
    """The run exists. ``config`` is the resolved configuration, ``pid`` the process that trains, on ``host``."""

    name: str
    version: str
    epochs: int
    config: dict[str, Any]
    pid: int = 0
    host: str = ""


class DataReady(Event, frozen=True, kw_only=True):
    """The source has been listed and split. ``not_images`` counts files that are no images, ``skipped`` names files."""

    source: str
    classes: tuple[str, ...]
    train: int
    val: int
    train_per_class: tuple[int, ...]
    val_per_class: tuple[int, ...]
    not_images: int = 0
    skipped: tuple[SkippedFile, ...] = ()


class ImagesSkipped(Event, frozen=True, kw_only=True):
    """Images that turned out broken when they were read. ``train`` and ``val`` count what remains."""

    skipped: tuple[SkippedFile, ...]
    train: int
    val: int


class ModelReady(Event, frozen=True, kw_only=True):
    """The backbone is loaded and carries its new head."""

    backbone: str
    device: str
    features: int
    parameters: int
    weights: WeightsReport
    stages: tuple[str, ...]
    head: str
    precision: str = "fp32"


class PipelineStage(Event, frozen=True, kw_only=True):
    """One of the five stages with its shapes."""

    stage: StageName
    shape_in: Shape
    shape_out: Shape


class ExtractionProgress(Event, frozen=True, kw_only=True):
    """Images run through the frozen part so far. ``what`` says which part of the data."""

    done: int
    total: int
    images_per_s: float


class CacheReady(Event, frozen=True, kw_only=True):
    """Which frozen computation is kept, and where: ``none`` if it runs in every batch. ``note`` says why.

    ``reused``: it was there already. ``images_read``: it was computed from the images, not from another cache.
    """

    frontier: tuple[str, ...]
    shape: tuple[Shape, ...]
    dtype: str
    where: CachePlace
    bytes: int
    reused: bool
    images_read: bool = False
    seconds: float = 0.0
    note: str = ""


class Layers(Event, frozen=True, kw_only=True):
    """The whole layer table, in forward order, parents before their children."""

    rows: tuple[LayerRow, ...]
    parameters: int
    trainable_parameters: int


class LayerFigures(Event, frozen=True, kw_only=True):
    """The figures of one update for every module that trains, at most once a second."""

    step: int
    figures: tuple[LayerFigure, ...]


class FreezeChanged(Event, frozen=True, kw_only=True):
    """The freeze boundary moved. ``before`` and ``after`` are the trainable module paths besides the head.

    ``rows`` are the layers that are otherwise than before, ``depth`` is how many changes can be undone now.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    origin: str
    text: str
    epoch: int
    step: int
    rows: tuple[LayerRow, ...] = ()
    trainable_parameters: int = 0
    depth: int = 0


class BatchEnd(Event, frozen=True, kw_only=True):
    """Training figures, at most ten a second. Loss and accuracy are means since the previous one of these events.

    ``step`` counts batches since the start of the run, ``batch`` within the epoch, both from 1. ``loss`` is None where
    it is no number.
    """

    epoch: int
    step: int
    batch: int
    batches: int
    loss: float | None
    accuracy: float
    lr: float
    images_per_s: float = 0.0


class ValidationProgress(Event, frozen=True, kw_only=True):
    """Validation images done in this epoch, at most ten a second."""

    epoch: int
    done: int
    total: int


class EpochEnd(Event, frozen=True, kw_only=True):
    """The figures of one epoch. Accuracies are fractions; ``best`` says that validation was never better."""

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float
    observation: str
    best: bool = False


class Evaluation(Event, frozen=True, kw_only=True):
    """Validation by class. ``confusion`` lists [true, predicted, count] for every pair that occurs.

    ``images`` are those with the greatest loss, the greatest first.
    """

    epoch: int
    support: tuple[int, ...]
    correct: tuple[int, ...]
    confusion: tuple[tuple[int, int, int], ...]
    images: tuple[ImageResult, ...] = ()


class Prediction(Event, frozen=True, kw_only=True):
    """One image's way through the network.

    ``image`` is `val #60` or a file's path, ``number`` that of a validation image. Pixels are fractions before
    normalisation. ``feature_bins`` are means of the absolute activation over equal runs of the feature vector,
    ``features_positive`` the fraction above zero. ``scores`` are the highest logits, the highest first; ``entropy`` is
    in nats. ``source`` says which weights: those in training, or a checkpoint's.
    """

    image: str
    number: int | None
    true: int | None
    predicted: int
    loss: float | None
    input_shape: Shape
    pixel_min: float
    pixel_max: float
    pixel_mean: float
    features: int
    feature_bins: tuple[float, ...]
    features_positive: float
    classes: int
    logit_min: float
    logit_max: float
    entropy: float
    scores: tuple[ClassScore, ...]
    thumbnail: Thumbnail
    epoch: int
    step: int
    source: Literal["live", "best", "last"]


class Advice(Event, frozen=True, kw_only=True):
    """A recommendation with its evidence. ``command`` is the key that carries it out, or empty."""

    text: str
    key: str = ""


class CheckpointSaved(Event, frozen=True, kw_only=True):
    """A checkpoint is complete on disk. ``path`` is relative to the run's directory."""

    kind: Literal["last", "best"]
    path: str
    epoch: int
    step: int
    val_accuracy: float | None
    bytes: int


class CommandDone(Event, frozen=True, kw_only=True):
    """A command was carried out; ``text`` says what changed, for the user.

    ``arguments`` are the command's own fields, ``id`` and ``client`` those it came with. It was carried out before
    batch ``step`` of the run, counted from 1, in epoch ``epoch``, of which ``batch`` batches were done then.
    """

    command: str
    text: str
    arguments: dict[str, Any] = {}
    origin: CommandOrigin = "user"
    id: str = ""
    client: str = ""
    epoch: int = 0
    batch: int = 0
    step: int = 0


class CommandRefused(Event, frozen=True, kw_only=True):
    """A command was not carried out, nothing changed, and ``reason`` says why."""

    command: str
    reason: str
    id: str = ""
    client: str = ""


class RunWarning(Event, frozen=True, kw_only=True, tag="warning"):
    """Something the user should know, in one line."""

    text: str


class Output(Event, frozen=True, kw_only=True):
    """A line that something in the process printed."""

    text: str


class RunPaused(Event, frozen=True, kw_only=True):
    """Training waits between two batches."""

    epoch: int
    step: int


class RunResumed(Event, frozen=True, kw_only=True):
    """Training goes on."""

    epoch: int
    step: int


class RunHolding(Event, frozen=True, kw_only=True):
    """What was planned is done, everything is saved, and the run waits, its model in place, for what comes next.

    ``reason`` says why it trains no more, ``held_bytes`` how much of the device's memory it keeps meanwhile;
    ``minutes`` after which it ends where nobody watches.
    """

    epoch: int
    step: int
    reason: str
    best: EpochFigures | None
    device: str
    held_bytes: int
    minutes: float


class EpochsChanged(Event, frozen=True, kw_only=True):
    """The planned number of epochs is another."""

    before: int
    after: int


class RunContinued(Event, frozen=True, kw_only=True):
    """A run goes on from a checkpoint, after ``step`` batches; what was said of later ones is said again.

    ``epoch`` is the one under way, counted from 1. ``exact``: it continues bit for bit; ``note`` says why it does not.
    """

    epoch: int
    step: int
    epochs: int
    pid: int = 0
    host: str = ""
    exact: bool = True
    note: str = ""


class CostEstimated(Event, frozen=True, kw_only=True):
    """What a change of freezing would cost, next to what holds now. Nothing was changed.

    ``change`` names the command asked about, ``after`` the module paths that would train besides the head.
    """

    change: str
    after: tuple[str, ...]
    now: Cost
    then: Cost


class RunFinished(Event, frozen=True, kw_only=True):
    """The last event of a run. ``reason`` explains a failure or a stop; ``timings`` are seconds by part of the work.

    ``exit_status`` is the process's: 0 done, 1 failed, 2 wrong configuration, 130 interrupted and saved.
    """

    status: RunStatus
    best: EpochFigures | None
    final: EpochFigures | None
    timings: dict[str, float]
    reason: str = ""
    exit_status: int = 0


AnyEvent = (
    RunStarted
    | DataReady
    | ImagesSkipped
    | ModelReady
    | PipelineStage
    | ExtractionProgress
    | CacheReady
    | Layers
    | LayerFigures
    | FreezeChanged
    | BatchEnd
    | ValidationProgress
    | EpochEnd
    | Evaluation
    | Prediction
    | Advice
    | CheckpointSaved
    | CommandDone
    | CommandRefused
    | RunWarning
    | Output
    | RunPaused
    | RunResumed
    | RunHolding
    | EpochsChanged
    | RunContinued
    | CostEstimated
    | RunFinished
)
