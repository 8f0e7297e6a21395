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
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fxtui.config import Precision
from fxtui.engine.devices import extraction_dtype

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


def fold_batchnorm(prefix: fx.GraphModule) -> fx.GraphModule:
    """A copy of a prefix in which every BatchNorm right after a convolution is part of it.

    Source: Jacob et al. 2018 (arXiv:1712.05877), section 3.2.
    """
    folded = copy.deepcopy(prefix).eval()
    modules = dict(folded.named_modules())
    calls: dict[str, int] = {}
    for node in folded.graph.nodes:
        if node.op == "call_module":
            calls[node.target] = calls.get(node.target, 0) + 1
    for node in list(folded.graph.nodes):
        if node.op != "call_module" or not isinstance(modules[node.target], nn.BatchNorm2d):
            continue
        before = node.args[0]
        if before.op != "call_module" or len(before.users) > 1 or calls[before.target] > 1 or calls[node.target] > 1:
            continue
        convolution = modules[before.target]
        if type(convolution) is nn.Conv2d and modules[node.target].track_running_stats:
            folded.set_submodule(before.target, fuse_conv_bn_eval(convolution, modules[node.target]))
            node.replace_all_uses_with(before)
            folded.graph.erase_node(node)
    folded.delete_all_unused_submodules()
    folded.recompile()
    return folded


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
