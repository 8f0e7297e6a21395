"""The device a run computes on, and what it can do."""

from __future__ import annotations

import platform

import torch
from torch import nn

from fxtui.config import ConfigError, Precision
from fxtui.machine.cpu import cpu_count


def resolve_device(name: str) -> torch.device:
    """The device that ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` means on this machine.

    Raises:
        ConfigError: there is no such device here.
    """
    here = available_devices()
    if name == "auto":
        name = "cuda" if "cuda:0" in here else here[-1]
    found = torch.device("cuda:0" if name == "cuda" else name)
    if str(found) not in here:
        raise ConfigError(f"device = '{name}': not on this machine; here: {', '.join(here)}")
    return found


def available_devices() -> tuple[str, ...]:
    """The devices of this machine, by the names that :func:`resolve_device` takes; ``cpu`` first."""
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ("cpu", *(f"cuda:{i}" for i in range(cuda)), *mps)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is computed in hardware, not emulated."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu" and platform.machine() in ("x86_64", "AMD64"):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def extraction_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype in which frozen layers are computed."""
    if precision == "auto":
        return torch.bfloat16 if has_fast_bf16(device) else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def synchronize(device: torch.device) -> None:
    """Wait until everything queued on the device is done, so that a clock tells the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


_SMALL_SUFFIX = 4_000_000


def suffix_threads(suffix: nn.Module) -> int:
    """A linear head is done sooner by one thread than by several that wait for each other; a convolution is not."""
    modules = [m for m in suffix.modules() if not any(True for _ in m.children())]
    small = sum(p.numel() for p in suffix.parameters()) <= _SMALL_SUFFIX
    convolves = any(isinstance(m, nn.modules.conv._ConvNd | nn.MultiheadAttention) for m in modules)
    return 1 if small and not convolves else cpu_count()
