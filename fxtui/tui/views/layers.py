"""The layer table as a tree."""

from __future__ import annotations

from collections.abc import Sequence

from fxtui import formats
from fxtui.run.events import LayerRow
from fxtui.run.state import RunState
from fxtui.tui.glyphs import trains_mark
from fxtui.tui.lines import Line, bar, fit, title


def layers_title(state: RunState, width: int, focused: bool) -> Line:
    """The heading of the layer list: how much trains."""
    total = max(state.parameters, 1)
    figure = (
        f"{formats.params(state.trainable_parameters)} of {formats.params(state.parameters)}" if state.layers else ""
    )
    stages = [row for row in state.layers if row.is_stage or row.is_head]
    legend: Line = ()
    if stages and width >= 44:
        count = sum(row.trainable != "none" for row in stages)
        done, rest = bar(state.trainable_parameters / total, max(4, width - 38))
        legend = ((f"{count} of {len(stages)} train ", "muted"), (done[0], "accent"), rest)
    return title("Layers", legend, ((figure, "muted"),), width, focused)


def layer_lines(
    state: RunState, rows: Sequence[tuple[LayerRow, int, str]], width: int, cursor: int, ascii_only: bool
) -> list[Line]:
    """The visible layers. ``rows`` gives each with its depth and its fold mark; the frontier is drawn in its place."""
    roomy, detailed = width >= 44, width >= 56
    name = max(10, width - (62 if width >= 76 else 43 if detailed else 36 if roomy else 26))
    columns = f"{'params':>8} {'lr':>7} {'grad':>7} {'upd/w':>7}" if roomy else f"{'params':>7} {'lr':>6} {'upd/w':>6}"
    columns += "  mode " if detailed else ""
    columns += "  output" if width >= 76 else ""
    lines: list[Line] = [fit((("    " + "layer".ljust(name), "muted"), (columns, "muted")), width)]
    drawn = False
    for at, (row, depth, fold) in enumerate(rows):
        if not drawn and row.trainable != "none" and depth == 0:
            drawn = True
            lines += _frontier_line(state, width)
        mark = trains_mark(row.trainable, ascii_only)
        label = row.path if depth == 0 else row.path.rpartition(".")[2]
        signs = f"{' ' + fold if fold else ''}{' !' if row.fault else ''}"
        # The end of a name tells layers apart, and the signs after it must not be lost.
        room = max(2, name - 2 * depth - len(signs))
        label = label if len(label) <= room else "…" + label[1 - room :]
        text = f"{'  ' * depth}{label}{signs}"
        role = "warn" if row.fault else "strong" if row.trainable != "none" else ""
        lr, ratio = formats.lr(row.lr), formats.lr(row.update_ratio)
        if roomy:
            values = f"{formats.params(row.parameters):>8} {lr:>7} {_small(row.grad_norm):>7} {ratio:>7}"
        else:
            values = f"{formats.params(row.parameters):>7} {lr:>6} {ratio:>6}"
        values += f"  {row.mode:<5}" if detailed else ""
        values += f"  {formats.shape(row.output) if row.output else formats.NONE}" if width >= 76 else ""
        line: Line = (
            (mark, "accent" if row.trainable != "none" else "muted"),
            (" " + text.ljust(name)[:name], role),
            (values, ""),
        )
        line = fit(line, width)
        lines.append(tuple((piece, "selected") for piece, _ in line) if at == cursor else line)
    return lines


def _frontier_line(state: RunState, width: int) -> list[Line]:
    cache = state.cache
    if cache is None:
        return []
    if cache.where == "none":
        text = "not cached: frozen layers run per batch"
    else:
        text = f"cached below: {formats.shape(cache.shape[0])}  {formats.size(cache.bytes)}"
        text += f" (+{len(cache.shape) - 1})" if len(cache.shape) > 1 else ""
    return [fit((("    " + text + " ", "muted"), ("┈" * width, "rule")), width)]


def _small(value: float | None) -> str:
    return formats.NONE if value is None else f"{value:.3f}" if value < 99.9995 else f"{value:.1e}"
