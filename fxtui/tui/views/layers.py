"""The layer table as a tree: the truth about every layer, in as many columns as there is room for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fxtui.protocol.events import LayerRow
from fxtui.run.state import RunState
from fxtui.text import numbers as formats
from fxtui.text.cells import left, text_width
from fxtui.text.columns import Column, cells_of, fitting, heads_of
from fxtui.text.glyphs import pending_mark, trains_mark
from fxtui.text.lines import Line, bar, fit, title

# A visible row: the layer, its depth, and its fold mark.
Visible = tuple[LayerRow, int, str]

_LEAST_NAME, _MOST_NAME = 12, 26
_MARK = 3
_SHARES = {"all": "yes", "some": "part", "none": "no"}


_GAP = 1
_COLUMNS: tuple[Column[LayerRow], ...] = (
    Column("type", 13, 8, lambda row: row.kind, left=True),
    Column("output", 12, 7, lambda row: formats.shape(row.output) if row.output else formats.NONE, left=True),
    Column("params", 7, 0, lambda row: formats.params(row.parameters)),
    Column("requires", 8, 9, lambda row: _SHARES[row.trainable]),
    Column("optim", 5, 10, lambda row: _SHARES[row.in_optimizer]),
    Column("lr", 7, 1, lambda row: formats.lr(row.lr)),
    Column("mode", 5, 4, lambda row: row.mode),
    Column("bn stats", 8, 6, lambda row: row.bn or ""),
    Column("|grad|", 7, 3, lambda row: _small(row.grad_norm)),
    Column("upd/w", 6, 2, lambda row: formats.lr(row.update_ratio)),
)


def layers_title(state: RunState, width: int, focused: bool, found: str = "") -> Line:
    """The heading of the layer list: how much trains. ``found`` is what is searched for."""
    total = max(state.parameters, 1)
    figure = (
        f"{formats.params(state.trainable_parameters)} of {formats.params(state.parameters)}" if state.layers else ""
    )
    if found:
        return title("Layers", ((f"with “{found}” in the name", "muted"),), ((figure, "muted"),), width, focused)
    stages = [row for row in state.layers if row.is_stage or row.is_head]
    legend: Line = ()
    if stages and width >= 44:
        count = sum(row.trainable != "none" for row in stages)
        text = f"{count} of {len(stages)} train "
        done, rest = bar(state.trainable_parameters / total, max(4, width - len(text) - len(figure) - 12))
        legend = ((text, "muted"), (done[0], "accent"), rest)
    return title("Layers", legend, ((figure, "muted"),), width, focused)


def layer_lines(
    state: RunState, rows: Sequence[Visible], width: int, cursor: int, pending: Collection[str], ascii_only: bool
) -> list[Line]:
    """The column names and the visible layers; the frontier is drawn in its place, above the first row that trains.

    ``pending`` are the paths of those that are to change.
    """
    labels = [_label(row, depth, fold) for row, depth, fold in rows]
    longest = max([_LEAST_NAME, *(text_width(label) for label in labels)])
    columns = fitting(_COLUMNS, width - _MARK - 1 - min(longest, _MOST_NAME), _GAP)
    used = sum(column.width + _GAP for column in columns)
    name = max(8, min(width - _MARK - 1 - used, _MOST_NAME + 4))
    heads = heads_of(columns, _GAP)
    lines: list[Line] = [fit(((" " * (_MARK + 1) + left("layer", name), "muted"), (heads, "muted")), width)]
    frontier = frontier_at(rows)
    for at, (row, _, _) in enumerate(rows):
        if at == frontier:
            lines += frontier_lines(state, width)
        trains = row.trainable != "none"
        values = cells_of(row, columns, _GAP)
        line: Line = (
            (pending_mark(ascii_only), "warn")
            if row.path in pending
            else (trains_mark(row.trainable, ascii_only), "accent" if trains else "muted"),
            (" " + left(labels[at], name), "warn" if row.fault else "strong" if trains else ""),
            (values, "" if trains else "muted"),
        )
        line = fit(line, width)
        lines.append(tuple((piece, "selected") for piece, _ in line) if at == cursor else line)
    return lines


def frontier_at(rows: Sequence[Visible]) -> int | None:
    """Before which visible row the frontier lies: the first stage that trains."""
    return next((at for at, (row, depth, _) in enumerate(rows) if depth == 0 and row.trainable != "none"), None)


def frontier_lines(state: RunState, width: int) -> list[Line]:
    """What is cached at the frontier; nothing before it is known."""
    cache = state.cache
    if cache is None:
        return []
    if cache.where == "none":
        text = "not cached: frozen layers run per batch"
    else:
        text = f"cached below: {formats.shape(cache.shape[0])}  {formats.size(cache.bytes)}"
        text += f" (+{len(cache.shape) - 1})" if len(cache.shape) > 1 else ""
    return [fit(((" " * (_MARK + 1) + text + " ", "muted"), ("┈" * width, "rule")), width)]


def fault_line(state: RunState, width: int) -> Line | None:
    """The first contradiction in the table, None if there is none."""
    faulty = [row for row in state.layers if row.fault]
    if not faulty:
        return None
    more = f"  and {len(faulty) - 1} more" if len(faulty) > 1 else ""
    return fit(((f" ! {faulty[0].path}: {faulty[0].fault}{more}", "warn"),), width)


def _label(row: LayerRow, depth: int, fold: str) -> str:
    label = row.path if depth == 0 else row.path.rpartition(".")[2]
    return f"{'  ' * depth}{label}{' ' + fold if fold else ''}{' !' if row.fault else ''}"


def _small(value: float | None) -> str:
    return formats.NONE if value is None else f"{value:.3f}" if value < 99.9995 else f"{value:.1e}"
