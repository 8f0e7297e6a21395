"""BatchNorm folded into the convolutions before it, in a part of a network that is only ever evaluated."""

from __future__ import annotations

import copy
from collections import Counter
from operator import attrgetter
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights


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
