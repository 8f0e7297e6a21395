"""What events carry: a layer's row, a price, an image's outcome. Shapes are sizes, ``None`` where images differ."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Shape = tuple[int | None, ...]
Share = Literal["all", "some", "none"]
CommandOrigin = Literal["user", "schedule", "ctl", "advice", "auto"]


class SkippedFile(Struct, frozen=True):
    """A file that was left out, and why."""

    path: str
    reason: str


class WeightsReport(Struct, frozen=True, kw_only=True):
    """What was loaded into the backbone: counts of tensors, and a few names of each kind of difference."""

    source: str
    loaded: int
    total: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()


class LayerRow(Struct, frozen=True, kw_only=True):
    """One module with parameters, its descendants included, as it is in training.

    ``trainable`` reads requires_grad, ``in_optimizer`` the parameter groups; ``lr`` is None where none trains or the
    rates differ; ``bn`` is None without BatchNorm inside; ``grad_norm`` and ``update_ratio`` are None until measured.
    """

    path: str
    kind: str
    parameters: int
    trainable: Share
    in_optimizer: Share
    mode: Literal["train", "eval"]
    lr: float | None = None
    bn: Literal["still", "moving"] | None = None
    output: Shape | None = None
    grad_norm: float | None = None
    update_ratio: float | None = None
    is_stage: bool = False
    is_head: bool = False
    fault: str = ""


class LayerFigure(Struct, frozen=True):
    """What one update did to a module, descendants included: gradient norm, and the update's norm over the weight's.

    ``lr`` is the learning rate of that update, None where the module's groups differ.
    """

    path: str
    grad_norm: float
    update_ratio: float
    lr: float | None = None


class ImageResult(Struct, frozen=True, array_like=True):
    """What became of one validation image: its number among them from 0, and the classes' numbers.

    ``probability`` is that of the predicted class, ``loss`` the image's cross-entropy.
    """

    image: int
    true: int
    predicted: int
    probability: float
    loss: float


class Thumbnail(Struct, frozen=True):
    """A small picture: rows of RGB bytes, compressed with zlib."""

    width: int
    height: int
    rgb: bytes


class ClassScore(Struct, frozen=True, array_like=True):
    """What the network says of one class."""

    label: int
    logit: float
    probability: float


class Cost(Struct, frozen=True, kw_only=True):
    """The price of one state of freezing. Bytes on the device; exact but for the figures named estimates.

    ``activation_bytes`` (estimate) is what a batch keeps for its backward pass, scaled from ``measured_images`` images;
    ``seconds_per_epoch`` is None where it is not known, and ``measured`` if it is the run's own figure, no estimate.
    ``cache_bytes`` is the feature cache's size; ``cache_ready`` says that it is there already.
    """

    trainable_parameters: int
    optimizer_bytes: int
    gradient_bytes: int
    activation_bytes: int
    cache_bytes: int
    cache_ready: bool
    seconds_per_epoch: float | None
    measured: bool
    measured_images: int


class EpochFigures(Struct, frozen=True, kw_only=True):
    """The figures of an epoch as `run_finished` repeats them."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
