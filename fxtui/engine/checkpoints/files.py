"""Checkpoints: a directory that is there whole or not at all.

``model.safetensors`` holds the weights, ``state.pt`` everything else needed to continue, ``info.json`` what a reader
needs to rebuild the model. A new one is written under a temporary name, brought to the disk, and renamed.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, cast

import msgspec
import torch
from msgspec import Struct
from safetensors import SafetensorError
from torch import Tensor

from fxtui.config import ConfigError
from fxtui.engine.checkpoints.tensor_files import is_whole, read_tensors, write_tensors
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.run.storage import make_alike, sync_folder, write_all, written_file
from fxtui.run.store import RunDirectory

KINDS = ("last", "best")


class CheckpointInfo(Struct, frozen=True, kw_only=True):
    """What a checkpoint is of. ``val_accuracy`` is that of the epoch before it, None before the first."""

    epoch: int
    step: int
    val_accuracy: float | None
    classes: tuple[str, ...]
    preprocessing: Preprocessing


Loaded = tuple[dict[str, Tensor], dict[str, Any], CheckpointInfo]


def save_checkpoint(
    run: RunDirectory, kind: str, tensors: dict[str, Tensor], state: dict[str, Any], info: CheckpointInfo
) -> int:
    """Write the checkpoint ``kind`` (``last`` or ``best``) of a run and return its size in bytes.

    Raises:
        OSError: the disk is full or cannot be written; the earlier checkpoint is still there.
    """
    final, new, old = (run.checkpoints / name for name in (kind, f".{kind}.new", f".{kind}.old"))
    with contextlib.suppress(FileExistsError):
        make_alike(run.checkpoints)
    shutil.rmtree(new, ignore_errors=True)
    try:
        make_alike(new)
        with written_file(new / _WEIGHTS) as file:
            write_tensors(file, tensors)
        with written_file(new / _STATE) as file:
            output = _Output(file)
            torch.save(state, cast(IO[bytes], output))
            output.check()
        with written_file(new / _INFO) as file:
            write_all(file, msgspec.json.encode(info))
        size = sum(path.stat().st_size for path in new.iterdir())
        sync_folder(new)
        _put_in_place(new, final, old)
    except OSError:
        # It takes room that the next try may need.
        shutil.rmtree(new, ignore_errors=True)
        raise
    sync_folder(run.checkpoints)
    shutil.rmtree(old, ignore_errors=True)
    return size


def load_checkpoint(run: RunDirectory, kind: str) -> Loaded:
    """The weights, the state and the description of a checkpoint.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    return _load(_find(run, kind))


def load_newest(run: RunDirectory) -> tuple[Loaded, str]:
    """What a run goes on from: ``last``, or where that is missing or damaged, the newest whole one; why it is not last.

    Raises:
        ConfigError: there is no checkpoint, or none is whole.
    """
    faults: list[ConfigError] = []
    for kind in KINDS:
        for folder in _places(run, kind):
            try:
                loaded = _load(folder)
            except ConfigError as error:
                faults.append(error)
                continue
            if kind == "last" and not faults:
                return loaded, ""
            why = "is damaged" if faults else "is not there"
            return loaded, f"the last checkpoint {why}: the run goes on from {folder.name.strip('.')}"
    raise faults[0] if faults else ConfigError(f"RUN {run.name}: has no checkpoint yet")


def has_checkpoint(run: RunDirectory, kind: str) -> bool:
    """Whether a checkpoint can be found."""
    return bool(_places(run, kind))


def sweep(run: RunDirectory) -> None:
    """Remove what a killed process left half done. Nobody else may write to the run meanwhile."""
    for kind in KINDS:
        shutil.rmtree(run.checkpoints / f".{kind}.new", ignore_errors=True)
        if _looks_whole(run.checkpoints / kind):
            shutil.rmtree(run.checkpoints / f".{kind}.old", ignore_errors=True)


class _Output:
    """Takes what torch writes, which would not survive an error: it is kept for :meth:`check`."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        if self._error is None:
            try:
                write_all(self._file, data)
            except OSError as error:
                self._error = error
        return len(data)

    def flush(self) -> None:
        """All is with the system already."""

    def check(self) -> None:
        if self._error is not None:
            raise self._error


def _put_in_place(new: Path, final: Path, old: Path) -> None:
    shutil.rmtree(old, ignore_errors=True)
    aside = final.exists()
    if aside:
        os.rename(final, old)  # noqa: PTH104
    try:
        os.rename(new, final)  # noqa: PTH104
    except OSError:
        if aside:
            with contextlib.suppress(OSError):
                os.rename(old, final)  # noqa: PTH104
        raise


def _load(folder: Path) -> Loaded:
    try:
        info = msgspec.json.decode((folder / _INFO).read_bytes(), type=CheckpointInfo)
        # Not from the file itself, which torch would map.
        state = torch.load(io.BytesIO((folder / _STATE).read_bytes()), weights_only=True, map_location="cpu")
        return read_tensors(folder / _WEIGHTS), state, info
    except _DAMAGE as error:
        raise ConfigError(f"{folder}: the checkpoint is damaged: {error}") from None


def _places(run: RunDirectory, kind: str) -> list[Path]:
    # A process killed between the two renames leaves the earlier checkpoint under its aside name.
    return [folder for name in (kind, f".{kind}.old") if ((folder := run.checkpoints / name) / _INFO).is_file()]


def _find(run: RunDirectory, kind: str) -> Path:
    if not (places := _places(run, kind)):
        raise ConfigError(f"RUN {run.name}: has no checkpoint '{kind}' yet")
    return next(filter(_looks_whole, places), places[0])


def _looks_whole(folder: Path) -> bool:
    try:
        info, state = (folder / _INFO).stat().st_size > 0, zipfile.is_zipfile(folder / _STATE)
    except OSError:
        return False
    return info and state and is_whole(folder / _WEIGHTS)


_WEIGHTS = "model.safetensors"
_STATE = "state.pt"
_INFO = "info.json"
_DAMAGE = (
    OSError,
    msgspec.DecodeError,
    SafetensorError,
    RuntimeError,
    EOFError,
    UnpicklingError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
