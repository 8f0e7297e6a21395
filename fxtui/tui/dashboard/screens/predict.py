"""The predict screen: the validation images, worst first, and the way of one through the network."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from fxtui.protocol import commands as cmd
from fxtui.run.state import RunState
from fxtui.tui.dashboard.actions import bindings_on
from fxtui.tui.dashboard.image_requests import ImageRequests
from fxtui.tui.dashboard.layout import Layout, stack
from fxtui.tui.dashboard.messages import CommandWanted
from fxtui.tui.dashboard.owners import ActsOnImages
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.dashboard.surroundings import Surroundings
from fxtui.tui.views.footer import KeyHint
from fxtui.tui.widgets.find_field import FindField
from fxtui.tui.widgets.panel import Panel
from fxtui.tui.widgets.panels.images import ImageList, TracePanel

_GAP = 2


class PredictScreen(RunScreen, ActsOnImages):
    """Asks the engine for what it shows, one question at a time."""

    NAME = "predict"
    HINTS = (KeyHint("↑↓", "image"),)
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_on("predict")]

    def __init__(
        self, state: RunState, surroundings: Surroundings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(state, surroundings)
        self._requests = ImageRequests(clock)
        self._file = ""

    def panels(self) -> tuple[Panel, ...]:
        """The list first, so that its keys work at once."""
        plain = self.profile.ascii_only
        self._list = ImageList(id="images", ascii_only=plain)
        self._trace = TracePanel(id="trace", ascii_only=plain, plain=plain or self.profile.no_color)
        return self._list, self._trace

    def compose(self) -> ComposeResult:
        """The frame, and the field for a file's path."""
        yield from super().compose()
        yield FindField(placeholder="path of an image file", id="find")

    def panel_layout(self, width: int, height: int) -> Layout:
        """The list at the left, the trace at the right."""
        left = min(46, max(36, width // 3))
        return {
            **stack(0, left, height, (("images", height, 0),)),
            **stack(left + _GAP, width - left - _GAP, height, (("trace", height, 0),)),
        }

    def show_body(self, state: RunState) -> None:
        """Ask for what is missing."""
        if (evaluation := self._requests.next_evaluation(state)) is not None:
            self.post_message(CommandWanted(evaluation))
        picked = self._list.selected
        image = self._file or (f"val #{picked.image}" if picked else "")
        if image != self._trace.image:
            self._trace.image = image
            self._trace.redraw()
        if picked is None or self._file:
            return
        # It must not grow older than the list beside it.
        epoch = state.evaluation.epoch if state.evaluation else 0
        if (request := self._requests.next_image(state, picked.image, epoch)) is not None:
            self.post_message(CommandWanted(request))

    def on_image_list_moved(self, _message: ImageList.Moved) -> None:
        """Another image: back from a file."""
        self._file = ""
        self.refresh_state()

    def pick_pair(self, pair: tuple[int, int]) -> None:
        """Show the images of a pair of classes only."""
        self.call_after_refresh(self._take_pair, pair)

    def _take_pair(self, pair: tuple[int, int] | None) -> None:
        self._list.pair = pair
        self._file = ""
        self.refresh_state()

    def do_all_images(self) -> None:
        """All of them again."""
        self._take_pair(None)

    def do_order_images(self) -> None:
        """The greatest loss first, or the errors, the most certain first."""
        self._list.errors_first = not self._list.errors_first
        self.refresh_state()

    def do_open_file(self) -> None:
        """Ask for a path."""
        self.query_one(FindField).open()

    def on_find_field_closed(self, event: FindField.Closed) -> None:
        """Predict the file."""
        self._list.focus()
        if event.kept and (path := self.query_one(FindField).value.strip()):
            self._file = path
            self.post_message(CommandWanted(cmd.Predict(images=(path,))))
            self.refresh_state()
