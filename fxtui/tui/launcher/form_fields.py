"""The fields of the form for a new run: what they are called, which key they set, how they read and write it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from fxtui.config import (
    Augment,
    BatchNormMode,
    ConfigError,
    Optimizer,
    Precision,
    RunConfig,
    Schedule,
    parse_config,
    to_dict,
)

HEAD_ONLY = "head only"


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the form. ``choices`` are offered, not enforced: the configuration says what may stand there."""

    key: str
    label: str
    section: str
    hint: str = ""
    choices: tuple[str, ...] = ()
    lists: bool = False


FIELDS: tuple[Field, ...] = (
    Field("data.source", "images", "Data", "digits, a folder, a .csv, torchvision:NAME", lists=True),
    Field("data.limit", "at most", "Data", "images; 0: all"),
    Field("data.image_size", "size", "Data", "pixels; 0: the weights' own size"),
    Field("data.val_fraction", "validation", "Data", "this part of the images"),
    Field("data.augment", "augment", "Data", "none is cached, the rest is not", get_args(Augment)),
    Field("seed", "seed", "Data", "same seed, same run"),
    Field("model.backbone", "model", "Backbone", "type to search", lists=True),
    Field("model.weights", "weights", "Backbone", "default, none, a name or a file", ("default", "none")),
    Field("device", "device", "Backbone", "auto: the fastest here", ("auto", "cpu")),
    Field("train.precision", "precision", "Backbone", "fp32 is exact", get_args(Precision)),
    Field("freeze.trainable", "start with", "Training", "layers by comma; u unfreezes later", (HEAD_ONLY,)),
    Field("freeze.batchnorm", "batchnorm", "Training", "follow: frozen with its layer", get_args(BatchNormMode)),
    Field("train.epochs", "epochs", "Training", "+ and - change them later"),
    Field("train.batch_size", "batch", "Training", "images in a batch"),
    Field("train.optimizer", "optimizer", "Training", "", get_args(Optimizer)),
    Field("train.lr", "lr head", "Training", "usual 1e-4 to 1e-2"),
    Field("train.schedule", "schedule", "Training", "of the learning rate", get_args(Schedule)),
    Field("train.backbone_lr_scale", "lr features ×", "Training", "of the head's, once unfrozen"),
    Field("train.early_stop", "stop early", "Training", "epochs without gain; 0: off"),
    Field("name", "name", "Keep", "of the run and its file"),
)
BY_KEY: dict[str, Field] = {field.key: field for field in FIELDS}


def text_of(config: RunConfig, key: str) -> str:
    """What stands in the field of a key."""
    value: Any = to_dict(config)
    for part in key.split("."):
        value = value[part]
    if isinstance(value, list):
        return ", ".join(value) or HEAD_ONLY
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_fields(base: RunConfig, texts: Mapping[str, str]) -> tuple[RunConfig | None, dict[str, str]]:
    """The configuration that the fields stand for, on top of one whose other keys are kept, and what is wrong.

    Faults are by key, in the words of the command line. With any, there is no configuration.
    """
    faults: dict[str, str] = {}
    overrides: list[str] = []
    for key, text in texts.items():
        if text == text_of(base, key):
            continue
        override = f"{key}={_written(key, text)}"
        try:
            parse_config(to_dict(base), [override])
        except ConfigError as error:
            faults[key] = str(error).removeprefix("config: ")
        else:
            overrides.append(override)
    if faults:
        return None, faults
    return parse_config(copy.deepcopy(to_dict(base)), overrides), {}


def key_named(fault: str, keys: Sequence[str]) -> str | None:
    """The key that a message begins with."""
    named = [key for key in keys if fault.startswith((f"{key} ", f"{key}:", f"{key}["))]
    return max(named, key=len, default=None)


def _written(key: str, text: str) -> str:
    if key == "freeze.trainable":
        plain = "" if text.strip() in ("", "head", HEAD_ONLY) else text
        return plain or "[]"
    return text
