"""What a run with a configuration would be like, known before it starts."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, structs

from fxtui.config import RunConfig, TrainConfig
from fxtui.protocol.records import Shape

WeightsPlace = Literal["here", "download", "random", "unknown"]


class PreviewFailedError(RuntimeError):
    """What a run would be like could not be found out, through no fault of the configuration."""


class Preview(Struct, frozen=True, kw_only=True):
    """Figures of a run that was not started, found without pretrained weights and without a pass over the data.

    What could not be known cheaply is None. ``images``, ``train`` and ``val`` count images; ``size`` is the side of the
    square that the backbone reads, in pixels. ``presized``: the images have that size already; ``own_split``: the
    source says which of them validate. ``features`` is the width that the head reads, ``frontier`` the shapes
    that one image has at the freeze boundary. Bytes are those of :class:`fxtui.protocol.records.Cost`; ``cache_bytes``
    is 0 where nothing is to be cached, and sure only if ``cache_is_exact``.
    ``epoch_batches`` is batches in an epoch. Seconds are estimates, ``extract_seconds`` where nothing is cached yet.
    ``devices`` and ``weight_names`` are what may be chosen.
    """

    device: str
    devices: tuple[str, ...] = ()
    images: int | None = None
    classes: int | None = None
    train: int | None = None
    val: int | None = None
    presized: bool = False
    own_split: bool = False
    size: int | None = None
    features: int | None = None
    stages: tuple[str, ...] = ()
    frontier: tuple[Shape, ...] = ()
    parameters: int | None = None
    trainable_parameters: int | None = None
    optimizer_bytes: int | None = None
    gradient_bytes: int | None = None
    activation_bytes: int | None = None
    cache_bytes: int | None = None
    cache_is_exact: bool = True
    epoch_seconds: float | None = None
    extract_seconds: float | None = None
    epoch_batches: int | None = None
    weights: WeightsPlace = "unknown"
    weight_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def figures_of(config: RunConfig) -> RunConfig:
    """The configuration without what a preview does not depend on: two that are equal here have the same preview."""
    plain = TrainConfig()
    train = structs.replace(
        config.train,
        epochs=plain.epochs,
        lr=plain.lr,
        schedule=plain.schedule,
        backbone_lr_scale=plain.backbone_lr_scale,
        early_stop=plain.early_stop,
    )
    return structs.replace(config, name="", train=train)
