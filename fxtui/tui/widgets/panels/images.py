"""The validation images and what the network makes of them."""

from __future__ import annotations

from fxtui.protocol.events import ImageResult, Prediction
from fxtui.run.state import RunState
from fxtui.text.lines import fit, title
from fxtui.tui.views.images import chosen_images, image_list_lines, prediction_lines, trace_lines
from fxtui.tui.widgets.cursor_list import CursorList
from fxtui.tui.widgets.panel import Panel


class ImageList(CursorList[ImageResult]):
    """The validation images of the last evaluation."""

    class Moved(CursorList.Moved):
        """The cursor stands on another image."""

    def __init__(self, *, id: str, ascii_only: bool) -> None:
        super().__init__(id=id, ascii_only=ascii_only)
        self.errors_first = False
        self.pair: tuple[int, int] | None = None

    def key_of(self, entry: ImageResult) -> int:
        """Its number."""
        return entry.image

    def draw(self, state: RunState) -> None:
        """As many images around the cursor as fit."""
        self.entries = chosen_images(state.evaluation, self.errors_first, self.pair)
        names = state.data.classes if state.data else ()
        width, height = self.size
        order = "surest errors first" if self.errors_first else "worst first"
        if self.pair:
            true, predicted = (names[n] if n < len(names) else str(n) for n in self.pair)
            order = f"{true} taken for {predicted}"
        heading = title("Validation images", (), ((order, "muted"),), width, self.has_focus)
        at, first = self.in_sight()
        if not self.entries:
            text = "after the first epoch" if not state.epochs else "none" if self.pair else "asked for"
            self.show([heading, fit(((text, "muted"),), width)])
            return
        self.show(image_list_lines(self.entries, names, heading, width, at, first, height))


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
            text = "none" if state.epochs else "no image yet: they come after the first epoch"
            text = f"{self.image}: asked for" if self.image else text
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
