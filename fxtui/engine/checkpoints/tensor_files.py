"""Tensors to a file in the format of safetensors, one after the other: no second copy of a network in memory.

Source: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from fxtui.run.storage import write_all

_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.complex64: "C64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_ALIGNMENT = 8
_LENGTH = 8


def write_tensors(file: int, tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors to a descriptor. Those that share memory are written once for each name.

    Raises:
        OSError: they cannot be written.
    """
    # The widest first, so that each lies where its elements may.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, object] = {}
    offset = 0
    for name in order:
        tensor = tensors[name]
        end = offset + tensor.numel() * tensor.element_size()
        entry = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, end]}
        header[name], offset = entry, end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    write_all(file, len(text).to_bytes(_LENGTH, "little") + text)
    for data in _raw(tensors[name] for name in order):
        write_all(file, data)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Named tensors, read into memory: a file that is mapped would take the process with it when it cannot be read.

    Raises:
        OSError: the file cannot be read.
        SafetensorError: it is damaged.
    """
    found: dict[str, Tensor] = load(path.read_bytes())
    return found


def is_whole(path: Path) -> bool:
    """Whether a file has the length that it says."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            size = path.stat().st_size
            if not 0 < length <= size - _LENGTH:
                return False
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        return bool(size == _LENGTH + length + max(ends, default=0))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def _raw(tensors: Iterator[Tensor]) -> Iterator[memoryview]:
    for tensor in tensors:
        if tensor.numel():
            flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            yield flat.numpy().data
