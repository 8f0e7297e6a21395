"""In which precision the suffix is computed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from fxtui.config import Precision
from fxtui.engine.devices import has_fast_bf16


def suffix_dtype(precision: Precision, device: torch.device, convolves: bool) -> torch.dtype | None:
    """The dtype that the suffix is computed in under autocast, None without; see `Stepper.choose_precision`."""
    if precision == "auto" and device.type == "cuda" and convolves and has_fast_bf16(device):
        return torch.bfloat16
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)


def autocast(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    """The context in which a suffix runs in this dtype; None changes nothing."""
    return torch.autocast(device.type, dtype=dtype) if dtype else nullcontext()


def trains_convolutions(model: nn.Module) -> bool:
    """Whether more than linear layers train."""
    return any(p.requires_grad and p.dim() > 2 for p in model.parameters())
