"""The frozen part, made fast: it is only ever evaluated.

BatchNorm is folded into the convolutions, memory is channels-last, and the dtype is the fastest the device has in
hardware. The first batch is compared with the plain network; where a row's cosine similarity falls below the
threshold, the plain network is used instead.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights

from fxtui.config import Precision
from fxtui.engine.devices import extraction_dtype

THRESHOLD = 0.999
Prefix = Callable[..., tuple[Tensor, ...]]


class InParts:
    """A prefix that goes on with half the images at a time, and half of those, where the device runs out of memory.

    It keeps to the smaller size from then on; ``say`` is told that size, in images, once it has worked. ``rows`` is the
    number of entries that an image has along the first dimension of each input.
    """

    def __init__(self, prefix: Prefix, say: Callable[[int], None], rows: tuple[int, ...] = (1,)) -> None:
        self._prefix = prefix
        self._say = say
        self._rows = rows
        self._size: int | None = None

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The prefix's outputs for the whole batch.

        Raises:
            torch.OutOfMemoryError: not even one image fits.
        """
        count = len(inputs[0]) // self._rows[0]
        before, size = self._size, min(self._size or count, count)
        while True:
            try:
                outputs = self._apply(inputs, count, size)
                break
            except torch.OutOfMemoryError:
                if size <= 1:
                    raise
                size = self._size = -(-size // 2)
            # Out of the handler, whose traceback holds on to the tensors of the failed attempt.
            if inputs[0].device.type == "cuda":
                torch.cuda.empty_cache()
        if self._size != before:
            self._say(size)
        return outputs

    def _apply(self, inputs: tuple[Tensor, ...], count: int, size: int) -> tuple[Tensor, ...]:
        if size >= count:
            return self._prefix(*inputs)
        parts = [
            self._prefix(*(t[at * rows : (at + size) * rows] for t, rows in zip(inputs, self._rows, strict=True)))
            for at in range(0, count, size)
        ]
        return tuple(torch.cat(outputs) for outputs in zip(*parts, strict=True))


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

    Convolutions are modules of exactly that type, or calls of ``conv2d`` with weights as they are: what computes its
    weights, e.g. to standardise them, would take the fold out again.

    Source: Jacob et al. 2018 (arXiv:1712.05877), section 3.2.
    """
    folded = copy.deepcopy(prefix).eval()
    modules = dict(folded.named_modules())
    calls = Counter(node.target for node in folded.graph.nodes if node.op == "call_module")
    for node in list(folded.graph.nodes):
        if node.op != "call_module" or calls[node.target] > 1:
            continue
        before, norm = node.args[0], modules[node.target]
        if type(norm) is not nn.BatchNorm2d or not norm.track_running_stats or len(before.users) > 1:
            continue
        if before.op == "call_module" and calls[before.target] == 1 and _is_plain(modules[before.target]):
            folded.set_submodule(before.target, fuse_conv_bn_eval(modules[before.target], norm))
        elif not (before.op == "call_function" and before.target is torch.conv2d and _fold_call(folded, before, norm)):
            continue
        node.replace_all_uses_with(before)
        folded.graph.erase_node(node)
    folded.delete_all_unused_submodules()
    folded.recompile()
    return folded


def _is_plain(module: nn.Module) -> bool:
    """Whether a module is a convolution whose weights no hook makes anew, as the older weight norm does."""
    return type(module) is nn.Conv2d and not module._forward_pre_hooks and not module._forward_hooks


def _fold_call(folded: fx.GraphModule, call: fx.Node, norm: nn.BatchNorm2d) -> bool:
    """Give a call of ``conv2d`` weights with the BatchNorm in them; False if its present ones are computed."""
    arguments: dict[str, Any] = dict(zip(("input", "weight", "bias"), call.args, strict=False)) | call.kwargs
    weight, bias = arguments["weight"], arguments.get("bias")
    sources = [weight] if bias is None else [weight, bias]
    if any(source.op != "get_attr" for source in sources):
        return False
    assert norm.running_mean is not None
    assert norm.running_var is not None
    held = [attrgetter(source.target)(folded) for source in sources]
    fused = fuse_conv_bn_weights(
        held[0],
        held[1] if bias is not None else None,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    new = []
    with folded.graph.inserting_before(call):
        for name, tensor in zip(("weight", "bias"), fused, strict=True):
            folded.register_parameter(f"_folded_{call.name}_{name}", tensor)
            new.append(folded.graph.get_attr(f"_folded_{call.name}_{name}"))
    call.args = (arguments["input"], *new, *call.args[3:])
    call.kwargs = {key: value for key, value in call.kwargs.items() if key not in ("input", "weight", "bias")}
    for source in sources:
        if not source.users:
            folded.graph.erase_node(source)
    return True


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
