"""The validation images and what the network makes of them."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fxtui.run.events import ImageResult, Prediction
from fxtui.run.state import RunState
from fxtui.tui.lines import fit, title
from fxtui.tui.views.images import chosen_images, image_list_lines, prediction_lines, trace_lines
from fxtui.tui.widgets.panels import Panel

_HEAD = 2


class ImageList(Panel, can_focus=True):
    """The validation images of the last evaluation, with a cursor that stays on its image."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"move({by})", show=False)
            for key, by in (
                ("up", -1),
                ("down", 1),
                ("pageup", -10),
                ("pagedown", 10),
                ("home", -(10**6)),
                ("end", 10**6),
            )
        )
    ]

    class Moved(Message):
        """The cursor stands on another image."""

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self.errors_first = True
        self.pair: tuple[int, int] | None = None
        self._images: list[ImageResult] = []
        self._number: int | None = None
        self._top = 0

    @property
    def selected(self) -> ImageResult | None:
        """The image under the cursor."""
        return next((image for image in self._images if image.image == self._number), None)

    def draw(self, state: RunState) -> None:
        """As many images around the cursor as fit."""
        self._images = chosen_images(state.evaluation, self.errors_first, self.pair)
        if self.selected is None:
            self._number = self._images[0].image if self._images else None
        names = state.data.classes if state.data else ()
        width, height = self.size
        at = next((n for n, image in enumerate(self._images) if image.image == self._number), 0)
        room = max(1, height - _HEAD)
        self._top = max(0, min(self._top, at), at - room + 1)
        order = "errors first" if self.errors_first else "greatest loss first"
        if self.pair:
            true, predicted = (names[n] if n < len(names) else str(n) for n in self.pair)
            order = f"{true} taken for {predicted}"
        heading = title("Validation images", (), ((order, "muted"),), width, self.has_focus)
        if not self._images:
            text = "after the first epoch" if not state.epochs else "none" if self.pair else "asked for"
            self.show([heading, fit(((text, "muted"),), width)])
            return
        self.show(image_list_lines(self._images, names, heading, width, at, self._top, height))

    def action_move(self, by: int) -> None:
        """Move the cursor by so many images."""
        if self._images:
            at = next((n for n, image in enumerate(self._images) if image.image == self._number), 0)
            self._put(max(0, min(len(self._images) - 1, at + by)))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there."""
        at = event.y - _HEAD + self._top
        if event.y >= _HEAD and at < len(self._images):
            self._put(at)

    def on_mouse_scroll_down(self) -> None:
        """Scroll with the cursor."""
        self.action_move(1)

    def on_mouse_scroll_up(self) -> None:
        """Scroll with the cursor."""
        self.action_move(-1)

    def _put(self, at: int) -> None:
        if self._images[at].image != self._number:
            self._number = self._images[at].image
            self.redraw()
            self.post_message(self.Moved())


class TracePanel(Panel):
    """The trace of one image. ``name`` is whose; ``plain``: its picture in signs instead of colours."""

    def __init__(self, *, id: str, ascii_only: bool, plain: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._plain = plain
        self.image = ""

    def draw(self, state: RunState) -> None:
        """Trace, or that it is being computed."""
        width, height = self.size
        names = state.data.classes if state.data else ()
        seen = state.predictions.get(self.image)
        if seen is None:
            text = f"{self.image}: asked for" if self.image else "no image yet: they come after the first epoch"
            self.show([title("Trace", (), (), width), fit(((text, "muted"),), width)])
            return
        self.show(trace_lines(seen, names, width, height, plain=self._plain))


class PredictionPanel(Panel):
    """The image asked about last, in small."""

    def __init__(self, *, id: str, ascii_only: bool, plain: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self._plain = plain

    def draw(self, state: RunState) -> None:
        """The prediction, or where to find some."""
        width, height = self.size
        seen: Prediction | None = next(reversed(state.predictions.values()), None)
        if seen is None:
            hint = fit((("3", "key"), (" shows what the network makes of each image", "muted")), width)
            self.show([title("Prediction", (), (), width), hint])
            return
        names = state.data.classes if state.data else ()
        self.show(prediction_lines(seen, names, width, height, plain=self._plain))
