"""The frozen part, made fast: it is only ever evaluated.

BatchNorm is folded into the convolutions, memory is channels-last, and the dtype is the fastest the device has in
hardware. The first batch is compared with the plain network; where a row's cosine similarity falls below the
threshold, the plain network is used instead.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from fxtui.config import Precision
from fxtui.engine.devices import extraction_dtype
from fxtui.engine.features.fold_batchnorm import fold_batchnorm

THRESHOLD = 0.999
Prefix = Callable[..., tuple[Tensor, ...]]


def accelerate(
    plain: nn.Module, precision: Precision, device: torch.device, inputs: tuple[Tensor, ...]
) -> tuple[Prefix, torch.dtype, str]:
    """The fastest form of a frozen part that agrees with the plain one on ``inputs``, e.g. images [n, 3, H, W].

    Returns the prefix, the dtype of its outputs, and a note for the user where the wanted precision was not kept.
    ``precision = "fp32"`` is exact: the plain network, unfolded and contiguous.
    """
    exact = _plain(plain)
    wanted = extraction_dtype(precision, device)
    if precision == "fp32" or not isinstance(plain, fx.GraphModule):
        return exact, torch.float32, ""
    note = ""
    folded = fold_batchnorm(plain)
    for dtype in dict.fromkeys((wanted, torch.float32)):
        fast = _fast(folded, dtype)
        similarity = _similarity(exact(*inputs), fast(*inputs))
        if similarity >= THRESHOLD:
            return fast, dtype, note
        note = f"{_name(dtype)} features differ from fp32 (cosine {similarity:.4f}): extracting in fp32"
    return exact, torch.float32, "folded features differ from the plain network's: extracting with the plain network"


def _plain(prefix: nn.Module) -> Prefix:
    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            outputs: tuple[Tensor, ...] = prefix(*inputs)
            return outputs

    return run


def _fast(folded: fx.GraphModule, dtype: torch.dtype) -> Prefix:
    module = copy.deepcopy(folded).to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            outputs: tuple[Tensor, ...] = module(*(_as_fast(tensor, dtype) for tensor in inputs))
            return outputs

    return run


def _as_fast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if tensor.dim() == 4:
        return tensor.to(dtype=dtype, memory_format=torch.channels_last)
    return tensor.to(dtype)


def _similarity(exact: tuple[Tensor, ...], fast: tuple[Tensor, ...]) -> float:
    """The smallest cosine similarity of any row; 0 where the fast one is not finite."""
    worst = 1.0
    for a, b in zip(exact, fast, strict=True):
        a, b = a.flatten(1).float(), b.flatten(1).float()
        if not bool(b.isfinite().all()):
            return 0.0
        silent = (a.norm(dim=1) == 0) & (b.norm(dim=1) == 0)
        cosine = F.cosine_similarity(a, b, dim=1).masked_fill(silent, 1.0)
        worst = min(worst, float(cosine.min()))
    return worst


def _name(dtype: torch.dtype) -> str:
    return {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(dtype, "fp32")
