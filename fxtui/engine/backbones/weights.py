"""Weights from a file of the user's: whatever wraps them is found, nothing is unpickled freely."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fxtui.config import ConfigError
from fxtui.run.events import WeightsReport

_NESTS = (
    "state_dict",
    "model_state_dict",
    "model",
    "model_state",
    "net",
    "module",
    "ema",
    "model_ema",
    "teacher",
    "student",
)
_SHOWN = 20


def load_weights_file(model: nn.Module, path: Path, head: str) -> WeightsReport:
    """Load a file's tensors into the backbone. A head is loaded only where name and shape are the model's own.

    A plain state dict or one nested under a usual name; a prefix such as ``module.`` or ``backbone.`` in front of the
    names is found and left out.

    Raises:
        ConfigError: it is no such file, needs free unpickling, or matches less than half of the backbone.
    """
    where = f"model.weights = '{path}'"
    tensors = _tensors(_read(path, where), where)
    own = model.state_dict()
    backbone = {
        name: tensor
        for name, tensor in own.items()
        if not _inside(name, head) and not name.endswith("num_batches_tracked")
    }
    prefix = _best_prefix(tensors, backbone)
    named = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    fitting = {name: t for name, t in named.items() if name in own and t.shape == own[name].shape}
    loaded = [name for name in backbone if name in fitting]
    if len(loaded) * 2 < len(backbone):
        example = next(iter(tensors))
        raise ConfigError(
            f"{where}: {len(loaded)} of {len(backbone)} tensors match the backbone, fewer than half; "
            f"the file has e.g. {example} {tuple(tensors[example].shape)}, the backbone {next(iter(backbone))} "
            f"{tuple(backbone[next(iter(backbone))].shape)}"
        )
    model.load_state_dict(fitting, strict=False)
    strangers = [name for name in tensors if name[len(prefix) :] not in fitting or not name.startswith(prefix)]
    unexpected = [name for name in strangers if not _of_head(name[len(prefix) :], head)]
    return WeightsReport(
        source=str(path),
        loaded=len(loaded),
        total=len(backbone),
        missing=tuple(name for name in backbone if name not in fitting)[:_SHOWN],
        unexpected=tuple(unexpected)[:_SHOWN],
    )


def _read(path: Path, where: str) -> Any:
    try:
        start = path.open("rb").read(200)
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}") from None
    if start.startswith(b"version https://git-lfs"):
        raise ConfigError(f"{where}: a Git LFS pointer, not the file; run git lfs pull")
    if start.lstrip()[:1] == b"<":
        raise ConfigError(f"{where}: a web page, not weights; download the file itself")
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise ConfigError(
                f"{where}: needs free unpickling, which can run code; save it with torch.save(model.state_dict(), PATH)"
            ) from None
        raise ConfigError(f"{where}: not a weights file: {_line(error)}") from None
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError, OSError, AttributeError) as error:
        raise ConfigError(f"{where}: damaged or not a weights file: {_line(error)}") from None


def _tensors(found: Any, where: str) -> dict[str, Tensor]:
    for _ in range(len(_NESTS)):
        if not isinstance(found, dict):
            break
        tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
        if tensors:
            return tensors
        nested = next((found[name] for name in _NESTS if isinstance(found.get(name), dict)), None)
        if nested is None:
            break
        found = nested
    raise ConfigError(f"{where}: holds no state dict; expected tensors by name, or such under state_dict or model")


def _best_prefix(tensors: dict[str, Tensor], own: dict[str, Tensor]) -> str:
    """The prefix in front of the file's names that makes most of them, with their shapes, the backbone's."""
    prefixes = {""}
    for name in tensors:
        parts = name.split(".")
        prefixes.update(".".join(parts[:depth]) + "." for depth in range(1, min(len(parts), 5)))

    def matches(prefix: str) -> int:
        return sum(
            1
            for name, tensor in tensors.items()
            if name.startswith(prefix)
            and (mine := own.get(name[len(prefix) :])) is not None
            and mine.shape == tensor.shape
        )

    return max(sorted(prefixes, key=len), key=matches)


def _of_head(name: str, head: str) -> bool:
    """Whether a tensor that did not fit is the head of another width, or an auxiliary one."""
    return (
        _inside(name, head)
        or name.lower().startswith(("aux", "num_batches_tracked"))
        or name.endswith("num_batches_tracked")
    )


def _inside(name: str, path: str) -> bool:
    return name.startswith(path + ".")


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
