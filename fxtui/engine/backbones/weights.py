"""Tensors from a file into a backbone: whatever wraps them is found, nothing is unpickled freely."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fxtui.config import ConfigError
from fxtui.engine.backbones.renamed_tensors import current_names
from fxtui.protocol.events import WeightsReport

Tensors = dict[str, Tensor]
_DEEPEST = 3
_LONGEST_PREFIX = 5
_SHOWN = 20
# A backbone in which more than this share of the tensors is there by name in another shape is another backbone.
_OTHER_SHAPES = 0.1
_FREE = ("unsupported global", "unsupported class", "is blocked", "torchscript", "can only build", "can only create")


def load_weights_file(
    model: nn.Module, path: Path, head: str, backbone: str, setting: str = "", source: str = ""
) -> WeightsReport:
    """Load a file's tensors into the backbone; the head is left out, whatever its width.

    A state dict, plain or nested; a prefix such as ``module.`` or ``backbone.`` in front of the names is found and left
    out. ``setting`` is the value of ``model.weights`` that messages name, ``source`` what the report does; both are
    the path where they are not given.

    Raises:
        ConfigError: it is no such file, needs free unpickling, or does not fit the backbone.
    """
    where = f"model.weights = '{setting or path}'"
    where = where if where.endswith(f"{path}'") else f"{where}: {path}"
    own = {name: t for name, t in model.state_dict().items() if not _inside(name, head)}
    choices = [current_names(backbone, tensors) for tensors in _state_dicts(_read(path, where), _DEEPEST)]
    if not choices:
        raise ConfigError(f"{where}: holds no state dict; expected tensors by name, or such under state_dict or model")
    tensors, prefix = max(
        ((t, _best_prefix(t, own)) for t in choices), key=lambda found: _matches(found[0], found[1], own)
    )
    named = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    fitting = {name: t for name, t in named.items() if name in own and _fits(t, own[name])}
    counted = [name for name in own if name in fitting or not name.endswith("num_batches_tracked")]
    _check_fit(counted, fitting, named, own, tensors, where)
    # By hand, not load_state_dict: MNASNet refuses tensors that come without torch's metadata.
    with torch.no_grad():
        for name, tensor in fitting.items():
            own[name].copy_(tensor)
    rest = [name for name in tensors if not name.startswith(prefix) or name.removeprefix(prefix) not in fitting]
    zone = _head_zone(own, head)
    unexpected = [name for name in rest if not _expected(name.removeprefix(prefix), zone, own)]
    return WeightsReport(
        source=source or str(path),
        loaded=len(fitting),
        total=len(counted),
        missing=_some([name for name in counted if name not in fitting]),
        unexpected=_some(unexpected),
    )


def _read(path: Path, where: str) -> Any:
    try:
        with path.open("rb") as file:
            start = file.read(200)
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}") from None
    if not start:
        raise ConfigError(f"{where}: empty, not a weights file")
    if start.startswith(b"version https://git-lfs"):
        raise ConfigError(f"{where}: a Git LFS pointer, not the file; run git lfs pull")
    if start.lstrip()[:1] == b"<":
        raise ConfigError(f"{where}: a web page, not weights; download the file itself")
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path) or None)
    except (pickle.UnpicklingError, RuntimeError) as error:
        if any(words in str(error).lower() for words in _FREE):
            raise ConfigError(
                f"{where}: needs free unpickling, which can run code; save it with torch.save(model.state_dict(), PATH)"
            ) from None
        raise ConfigError(f"{where}: damaged or not a weights file") from None
    # What torch raises for bytes that are no checkpoint is open-ended; all of it means the same to the user.
    except (SafetensorError, EOFError, OSError, LookupError, ValueError, TypeError, AttributeError, AssertionError):
        raise ConfigError(f"{where}: damaged or not a weights file") from None


def _state_dicts(found: Any, depth: int) -> Iterator[Tensors]:
    """Every mapping in a checkpoint that holds tensors by name, the outermost first."""
    if not isinstance(found, dict):
        return
    tensors = {name: t for name, t in found.items() if isinstance(name, str) and isinstance(t, Tensor)}
    if tensors:
        yield tensors
    if depth:
        for value in found.values():
            yield from _state_dicts(value, depth - 1)


def _best_prefix(tensors: Tensors, own: Tensors) -> str:
    """The prefix in front of the file's names that makes most of them, with their shapes, the backbone's."""
    counts = {"": 0}
    for name, tensor in tensors.items():
        parts = name.split(".")
        for depth in range(min(len(parts), _LONGEST_PREFIX + 1)):
            rest = ".".join(parts[depth:])
            if rest in own and _fits(tensor, own[rest]):
                prefix = name.removesuffix(rest)
                counts[prefix] = counts.get(prefix, 0) + 1
    return max(sorted(counts, key=len), key=counts.__getitem__)


def _matches(tensors: Tensors, prefix: str, own: Tensors) -> int:
    return sum(prefix + name in tensors and _fits(tensors[prefix + name], mine) for name, mine in own.items())


def _fits(theirs: Tensor, mine: Tensor) -> bool:
    return theirs.shape == mine.shape and theirs.is_floating_point() == mine.is_floating_point()


def _check_fit(
    counted: list[str], fitting: Tensors, named: Tensors, own: Tensors, tensors: Tensors, where: str
) -> None:
    # The counters of batches are there in some files and not in others, so they are no sign of a fit.
    weighty = [name for name in counted if not name.endswith("num_batches_tracked")]
    loaded = sum(name in fitting for name in weighty)
    if loaded * 2 < len(weighty):
        mine = next(name for name in weighty if name not in fitting)
        theirs = mine if mine in named else next((name for name in tensors if name not in fitting), next(iter(tensors)))
        shape = tuple((named if theirs in named else tensors)[theirs].shape)
        raise ConfigError(
            f"{where}: {loaded} of {len(weighty)} tensors match the backbone, fewer than half; "
            f"the file has e.g. {theirs} {shape}, the backbone {mine} {tuple(own[mine].shape)}"
        )
    others = [name for name in weighty if name in named and name not in fitting]
    if len(others) > _OTHER_SHAPES * len(weighty):
        raise ConfigError(
            f"{where}: of another network: {len(others)} of {len(weighty)} tensors have another shape, "
            f"e.g. {others[0]} {tuple(named[others[0]].shape)}, the backbone's {tuple(own[others[0]].shape)}"
        )


def _head_zone(own: Tensors, head: str) -> str:
    """The outermost module around the head that holds nothing of the backbone, e.g. ``classifier`` for classifier.1."""
    zone = head
    while "." in zone and not any(_inside(name, zone.rpartition(".")[0]) for name in own):
        zone = zone.rpartition(".")[0]
    return zone


def _expected(name: str, zone: str, own: Tensors) -> bool:
    """Whether a tensor may be left out without a word: of a head, of an auxiliary one, or a counter of batches."""
    auxiliary = name.lower().startswith("aux") and not any(n.lower().startswith("aux") for n in own)
    return _inside(name, zone) or auxiliary or name.endswith("num_batches_tracked")


def _inside(name: str, path: str) -> bool:
    return name.startswith(path + ".")


def _some(names: list[str]) -> tuple[str, ...]:
    return (*names[:_SHOWN], *([f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []))
