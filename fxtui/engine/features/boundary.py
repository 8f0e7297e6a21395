"""The freeze boundary of a running model: where it is cut now, what feeds the suffix, and how both move together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fxtui.engine.devices import suffix_threads
from fxtui.engine.features.bank import FeatureBank
from fxtui.engine.features.feeds import Feed
from fxtui.engine.freezing.moving_names import moving_names
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.frontier.cut import cut_model
from fxtui.engine.frontier.records import Cut
from fxtui.machine.cpu import cpu_count


class Boundary:
    """The cut in force and its feed."""

    def __init__(self, model: nn.Module, freezing: Freezing, bank: FeatureBank) -> None:
        self._model = model
        self.bank = bank
        self.freezing = freezing
        self.cut, self.feed = self._place()

    @property
    def computes_images(self) -> bool:
        """Whether the suffix reads anything as large as images or feature maps."""
        return any(len(spec.image_shape) > 1 for spec in self.cut.tensors)

    @property
    def checksum(self) -> str:
        """Of the cache in force; empty where nothing is cached."""
        return self.feed.checksum

    def logits(self, row: int) -> Tensor | None:
        """Of one image [1, classes], by the suffix as it validates; None where its frontier tensors are not cached."""
        parts = self.feed.cached(row)
        return None if parts is None else self.cut.evaluate(*parts)

    def move(self, change: Callable[[], None], take_back: Callable[[], None]) -> None:
        """Carry out a change of freezing and cut and feed anew; whatever goes wrong, all is as it was before."""
        moved, history = moving_names(self._model), list(self.freezing.history)
        change()
        try:
            self.bank.weights_changed(moved)
            self.cut, self.feed = self._place()
        except BaseException:
            take_back()
            self.freezing.history[:] = history
            raise

    def use_threads(self) -> None:
        """Choose the number of threads by the work."""
        torch.set_num_threads(cpu_count() if self.feed.runs_prefix else suffix_threads(self.cut.train))

    def _place(self) -> tuple[Cut, Feed]:
        torch.set_num_threads(cpu_count())
        cut = cut_model(self._model, self.freezing.head, self.bank.example())
        return cut, self.bank.feed(cut)
