"""The confusion screen: which classes are taken for which, and how good each is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType

from fxtui.run.state import RunState
from fxtui.tui.dashboard.actions import bindings_on
from fxtui.tui.dashboard.image_requests import ImageRequests
from fxtui.tui.dashboard.layout import Layout, stack
from fxtui.tui.dashboard.messages import CommandWanted, ImagesWanted
from fxtui.tui.dashboard.owners import ActsOnMatrix
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.dashboard.surroundings import Surroundings
from fxtui.tui.views.footer import KeyHint
from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.panels.confusion import ClassPanel, MatrixPanel, PairPanel

_GAP = 2
_WIDE = 98


class ConfusionScreen(RunScreen, ActsOnMatrix):
    """Shows the last evaluation, and asks for a newer one now and then while it is looked at."""

    NAME = "confusion"
    HINTS = (KeyHint("↑↓◂▸", "cell"),)
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_on("confusion")]

    def __init__(
        self, state: RunState, surroundings: Surroundings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(state, surroundings)
        self._requests = ImageRequests(clock)

    def panels(self) -> tuple[Panel, ...]:
        """The matrix first, so that the arrows work at once."""
        plain = self.profile.ascii_only
        self._matrix = MatrixPanel(id="matrix", ascii_only=plain)
        return (
            self._matrix,
            ClassPanel(id="classes", ascii_only=plain),
            PairPanel(id="pairs", ascii_only=plain),
        )

    def panel_layout(self, width: int, height: int) -> Layout:
        """The matrix at the left or above, the classes and the pairs beside or below."""
        classes = len(self.state.data.classes) if self.state.data else 10
        if width >= _WIDE:
            left = max(54, min(width - 50 - _GAP, 21 + classes * 5))
            right = width - left - _GAP
            share = min(classes + 3, max(6, height * 2 // 3))
            return {
                **stack(0, left, height, (("matrix", height, 0),)),
                **stack(left + _GAP, right, height, (("classes", share, 0), ("pairs", 4, 1))),
            }
        top = min(classes + 3, max(6, height - 5))
        return stack(0, width, height, (("matrix", top, 0), ("pairs", 3, 1)))

    def show_body(self, state: RunState) -> None:
        """Ask for the evaluation of the last epoch."""
        if (request := self._requests.next_evaluation(state)) is not None:
            self.post_message(CommandWanted(request))

    def do_show_images(self) -> None:
        """The images in the cell under the cursor."""
        if (cell := self._matrix.cell) is not None:
            self.post_message(ImagesWanted(*cell))

    def do_shares(self) -> None:
        """Counts, or shares of the true class."""
        self._matrix.shares = not self._matrix.shares
        self.refresh_state()

    def on_pair_panel_picked(self, message: PairPanel.Picked) -> None:
        """A click on a pair."""
        self.post_message(ImagesWanted(message.true, message.predicted))
