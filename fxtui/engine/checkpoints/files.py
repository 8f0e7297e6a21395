"""Checkpoints: a directory that is there whole or not at all.

``model.safetensors`` holds the weights, ``state.pt`` everything else needed to continue, ``info.json`` what a reader
needs to rebuild the model. A new one is written under a temporary name, brought to the disk, and renamed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import msgspec
import torch
from msgspec import Struct
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fxtui.config import ConfigError
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.run.store import RunDirectory


class CheckpointInfo(Struct, frozen=True, kw_only=True):
    """What a checkpoint is of. ``val_accuracy`` is that of the epoch before it, None before the first."""

    epoch: int
    step: int
    val_accuracy: float | None
    classes: tuple[str, ...]
    preprocessing: Preprocessing


def save_checkpoint(
    run: RunDirectory, kind: str, tensors: dict[str, Tensor], state: dict[str, Any], info: CheckpointInfo
) -> int:
    """Write the checkpoint ``kind`` (``last`` or ``best``) of a run and return its size in bytes.

    Raises:
        OSError: the disk is full or cannot be written; the earlier checkpoint is still there.
    """
    final, new, old = (run.checkpoints / name for name in (kind, f".{kind}.new", f".{kind}.old"))
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    # Tensors that share memory may not be saved under two names; a copy each is small next to the disk's time.
    save_file({name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}, new / _WEIGHTS)
    torch.save(state, new / _STATE)
    (new / _INFO).write_bytes(msgspec.json.encode(info))
    size = sum(_sync(path) for path in new.iterdir())
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    new.rename(final)
    _sync(run.checkpoints)
    shutil.rmtree(old, ignore_errors=True)
    return size


def load_checkpoint(run: RunDirectory, kind: str) -> tuple[dict[str, Tensor], dict[str, Any], CheckpointInfo]:
    """The weights, the state and the description of a checkpoint.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    folder = _find(run, kind)
    try:
        info = msgspec.json.decode((folder / _INFO).read_bytes(), type=CheckpointInfo)
        state = torch.load(folder / _STATE, weights_only=True, map_location="cpu")
        return load_file(folder / _WEIGHTS), state, info
    except (OSError, msgspec.DecodeError, SafetensorError, RuntimeError, EOFError, UnpicklingError) as error:
        raise ConfigError(f"{folder}: the checkpoint is damaged: {error}") from None


def has_checkpoint(run: RunDirectory, kind: str) -> bool:
    """Whether a checkpoint can be found."""
    return any((run.checkpoints / name / _INFO).is_file() for name in (kind, f".{kind}.old"))


def _find(run: RunDirectory, kind: str) -> Path:
    # A process killed between the two renames leaves the earlier checkpoint under its aside name.
    for name in (kind, f".{kind}.old"):
        if (run.checkpoints / name / _INFO).is_file():
            return run.checkpoints / name
    raise ConfigError(f"RUN {run.name}: has no checkpoint '{kind}' yet")


def _sync(path: Path) -> int:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


_WEIGHTS = "model.safetensors"
_STATE = "state.pt"
_INFO = "info.json"
