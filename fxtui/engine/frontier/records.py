"""What a cut is: its frontier tensors, its two parts, and whether they agree with the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from fxtui.engine.freezing.modes import eval_mode
from fxtui.engine.frontier.study import CutRefusedError, GraphFacts

_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class FrontierTensor:
    """One tensor of the frontier.

    A batch of n images has ``n * rows`` entries along its first dimension, each of ``shape``. ``order`` lists the
    dimensions from the outermost to the innermost in memory, as the plain model has them there.
    """

    name: str
    rows: int
    shape: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of what one image contributes."""
        return self.shape if self.rows == 1 else (self.rows, *self.shape)

    def arrange(self, batch: Tensor) -> Tensor:
        """A batch [n, *image_shape] as the suffix expects it: [n * rows, *shape], in the plain model's memory order."""
        if self.rows > 1:
            batch = batch.flatten(0, 1)
        if self.order != tuple(range(batch.dim())):
            inverse = [self.order.index(i) for i in range(batch.dim())]
            batch = batch.permute(self.order).contiguous().permute(inverse)
        return batch


@dataclass(frozen=True, slots=True)
class TracedSource:
    """The traced model in eval mode that a cut was made in, and the names of its frontier's nodes."""

    traced: fx.GraphModule
    facts: GraphFacts
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """A model in two parts: ``suffix(*prefix(images))`` equals the model.

    ``prefix`` maps images [n, 3, H, W] to the tuple of frontier tensors. ``train`` and ``evaluate`` are the suffix in
    the modes of training and with all modules in eval mode. ``note`` says what a user should know, or is empty.
    ``source`` is the graph that was cut, None where there is none.
    """

    tensors: tuple[FrontierTensor, ...]
    prefix: nn.Module
    train: nn.Module
    evaluate: nn.Module
    note: str = ""
    source: TracedSource | None = None

    @property
    def at_input(self) -> bool:
        """Whether nothing is cut off: the frontier is the image itself."""
        return isinstance(self.prefix, _Images)


def check_agreement(model: nn.Module, cut: Cut, images: Tensor) -> None:
    with eval_mode(model), torch.no_grad():
        whole = model(images)
        parts = cut.evaluate(*_run_prefix(cut, images))
    if not isinstance(whole, Tensor) or whole.shape != parts.shape:
        raise CutRefusedError("its output is not one tensor")
    if not agree(whole, parts):
        names = ", ".join(tensor.name for tensor in cut.tensors)
        raise CutRefusedError(f"cut at {names}, the parts give another result than the whole")


def agree(one: Tensor, other: Tensor) -> bool:
    scale = max(1.0, float(one.abs().max()))
    return one.shape == other.shape and torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE * scale)


def _run_prefix(cut: Cut, images: Tensor) -> Sequence[Tensor]:
    outputs = cut.prefix(images)
    assert isinstance(outputs, tuple)
    return outputs


class _Images(nn.Module):
    """The prefix of a model that is not cut."""

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (images,)


def uncut(model: nn.Module, images: Tensor, note: str = "") -> Cut:
    tensor = FrontierTensor("input", 1, tuple(images.shape[1:]), tuple(range(images.dim())))
    return Cut((tensor,), _Images(), model, model, note=note)
