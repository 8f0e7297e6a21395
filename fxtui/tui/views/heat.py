"""How fast each layer learns, epoch by epoch: the update-to-weight ratio as its power of ten."""

from __future__ import annotations

import math

from fxtui.run.state import RunState
from fxtui.text.cells import cut, fill, text_width
from fxtui.text.lines import Line, Piece, fit, title

_NAME = 14
_FAST, _SLOW = 2, 4


def heat_lines(state: RunState, width: int, height: int) -> list[Line]:
    """A row for each stage and a column for each span of epochs; digit n: about 1e-n of the weight an update."""
    stages = [row for row in state.layers if row.is_stage or row.is_head]
    last = max((epoch for row in state.ratios.values() for epoch in row), default=0)
    lines = [title("Update / weight", (("by epoch", "muted"),), (("digit n: 1e-n", "muted"),), width)]
    if not last:
        return [*lines, fit((("first figures after the first second of training", "muted"),), width)][:height]
    measured = {epoch for row in state.ratios.values() for epoch in row}
    room = max(4, (width - _NAME) // 2)
    span = max(1, -(-last // room))
    columns = -(-last // span)
    for row in stages[-max(1, height - 3) :]:
        ratios = state.ratios.get(row.path, {})
        spans = [(c * span + 1, (c + 1) * span) for c in range(columns)]
        cells = [_cell(_mean(ratios, *some), any(some[0] <= e <= some[1] for e in measured)) for some in spans]
        lines.append(fit(((_short(row.path), "strong" if row.trainable != "none" else ""), *cells), width))
    lines.append(fit(((" " * _NAME, ""), (_axis(columns, span), "muted")), width))
    legend: tuple[Piece, ...] = (
        (" " * _NAME, ""), (f"{_FAST} ", "hot"), (" fast  ", "muted"), ("3 ", "warm"), (" usual  ", "muted"),
        (f"{_SLOW} ", "cool"), (" slow  · still", "muted"),
    )  # fmt: skip
    return [*lines, fit(legend, width)][:height]


def _mean(ratios: dict[int, float], first: int, last: int) -> float | None:
    """The geometric mean over a span of epochs."""
    found = [ratios[epoch] for epoch in range(first, last + 1) if ratios.get(epoch, 0.0) > 0]
    return math.exp(sum(map(math.log, found)) / len(found)) if found else None


def _cell(ratio: float | None, measured: bool) -> Piece:
    if ratio is None:
        # Short epochs may have passed between two measurements.
        return "· " if measured else "  ", "muted"
    power = min(9, max(0, round(-math.log10(ratio))))
    return f"{power} ", "hot" if power <= _FAST else "cool" if power >= _SLOW else "warm"


def _short(path: str) -> str:
    shown = path if text_width(path) <= _NAME - 2 else cut(path, _NAME - 2, "") + "…"
    return fill(shown, _NAME)


def _axis(columns: int, span: int) -> str:
    cells = [" "] * (columns * 2)
    for column in range(columns):
        epoch = column * span + 1
        if column == 0 or epoch % 5 == 0:
            text = str(epoch)
            at = column * 2
            if all(c == " " for c in cells[max(0, at - 1) : at + len(text)]) and at + len(text) <= len(cells):
                cells[at : at + len(text)] = text
    return "".join(cells)
