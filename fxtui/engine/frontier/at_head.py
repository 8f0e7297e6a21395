"""Cutting a model before its head, where its forward cannot be traced."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fxtui.engine.freezing.modes import eval_mode
from fxtui.engine.frontier.records import Cut, FrontierTensor, agree, check_agreement
from fxtui.engine.frontier.study import CutRefusedError
from fxtui.engine.random_state import random_state, random_state_kept, same_state
from fxtui.engine.tracing.randomness import module_is_stochastic


class _ReachedHeadError(Exception):
    def __init__(self, features: Tensor) -> None:
        self.features = features


class _UpToHead(nn.Module):
    """Runs a model until its head is called and returns what the head would have read."""

    def __init__(self, model: nn.Module, head: str) -> None:
        super().__init__()
        # In a tuple, so that the model does not become a submodule whose modes follow ours.
        self._held = (model, model.get_submodule(head))

    def forward(self, images: Tensor) -> tuple[Tensor]:
        with eval_mode(self._held[0]):
            return self.run(images)

    def run(self, images: Tensor) -> tuple[Tensor]:
        """The same in the model's present modes."""
        model, head = self._held

        def stop(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            raise _ReachedHeadError(inputs[0])

        handle = head.register_forward_pre_hook(stop)
        try:
            model(images)
        except _ReachedHeadError as reached:
            return (reached.features,)
        finally:
            handle.remove()
        raise CutRefusedError("its head is not called in the forward")


def cut_at_head(model: nn.Module, head: str, images: Tensor, note: str) -> Cut:
    module = model.get_submodule(head)
    inside = set(module.modules())
    for name, part in model.named_modules():
        if part not in inside and any(p.requires_grad for p in part.parameters(recurse=False)):
            raise CutRefusedError(f"{name or 'the model itself'} trains besides the head")
        if part not in inside and not any(True for _ in part.children()) and module_is_stochastic(part):
            raise CutRefusedError(f"{name} is random in training, outside the head")
    prefix = _UpToHead(model, head)
    with torch.no_grad():
        (features,) = prefix(images)
        with random_state_kept(images.device):
            before = random_state(images.device)
            (training,) = prefix.run(images)
            drawn = not same_state(before, random_state(images.device))
    if drawn or not agree(features, training):
        raise CutRefusedError("its forward does something else in training, outside the head")
    if features.shape[0] != images.shape[0]:
        raise CutRefusedError("its head does not read one row an image")
    tensor = FrontierTensor(head, 1, tuple(features.shape[1:]), tuple(range(features.dim())))
    cut = Cut((tensor,), prefix, module, module, note=note)
    check_agreement(model, cut, images)
    return cut
