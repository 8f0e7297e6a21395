"""The runs as a table, what differs between some of them, and what was done in one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fxtui.advice.rules import standard_error
from fxtui.run.catalogue import RunEntry, settings_alike, settings_that_differ
from fxtui.text import numbers as formats
from fxtui.text.cells import cut, left, right
from fxtui.text.columns import Column, cells_of, fitting, heads_of
from fxtui.text.lines import Line, Piece, fit, spark, title

RUN_MARKS: dict[str, Piece] = {
    "running": ("●", "ok"), "finished": ("✓", "ok"), "stopped": ("■", "warn"), "failed": ("✗", "error"),
    "holding": ("◎", "ok"), "interrupted": ("‖", "warn"), "damaged": ("!", "error"),
}  # fmt: skip
_MARK, _LEAST_NAME, _MOST_NAME = 6, 12, 28
_GAP = 2
_COLUMNS: tuple[Column[RunEntry], ...] = (
    Column("state", 11, 3, lambda run: run.status, left=True),
    Column("backbone", 18, 6, lambda run: run.backbone or formats.NONE, left=True),
    Column("trains", 20, 5, lambda run: run.trains or formats.NONE, left=True),
    Column("lr", 7, 4, lambda run: formats.lr(run.lr)),
    Column("epochs", 8, 2, lambda run: _progress(run)),
    Column("best val", 8, 0, lambda run: formats.accuracy(run.best.val_accuracy if run.best else None)),
    Column("val loss", 8, 7, lambda run: formats.loss(run.best.val_loss if run.best else None)),
    Column("s/ep", 6, 6, lambda run: _pace(run.seconds_per_epoch)),
    Column("time", 8, 8, lambda run: formats.duration(run.seconds) if run.seconds else formats.NONE),
    Column("start", 11, 9, lambda run: _clock(run.started)),
    Column("val by epoch", 16, 1, lambda run: curve_in_a_line([e.val_accuracy for e in run.epochs], 16), left=True),
)


def curve_in_a_line(values: Sequence[float], width: int) -> str:
    """A curve in one line: each cell the last of the values that it stands for, from the lowest to the highest."""
    if not values:
        return ""
    cells = min(width, len(values))
    shown = [values[(at + 1) * len(values) // cells - 1] for at in range(cells)]
    low, high = min(shown), max(shown)
    return spark(0.45 if high == low else (value - low) / (high - low) for value in shown)


def labels_of(runs: Sequence[RunEntry]) -> dict[Path, str]:
    """The runs' names without their time, but for those that another one has, too: these keep day and minute."""
    often = Counter(run.short_name for run in runs)
    return {run.path: run.short_name if often[run.short_name] == 1 else run.name[4:] for run in runs}


def run_lines(
    runs: Sequence[RunEntry],
    marked: Sequence[str],
    order: str,
    width: int,
    height: int,
    cursor: int,
    first: int,
    focused: bool,
) -> list[Line]:
    """The heading, the column names, and the runs from number ``first`` on."""
    note = f"{formats.plural(len(runs), 'run')}, {len(marked)} marked"
    labels = labels_of(runs)
    lines = [title("Runs", ((note, "muted"),), ((order, "muted"),), width, focused)]
    columns = fitting(_COLUMNS, width - _MARK - _LEAST_NAME, _GAP)
    name = min(_MOST_NAME, width - _MARK - sum(c.width + _GAP for c in columns))
    heads = heads_of(columns, _GAP)
    lines.append(fit(((" " * _MARK + left("run", name), "muted"), (heads, "muted")), width))
    for at, run in enumerate(runs[first : first + max(0, height - 2)], first):
        number = f"▪{marked.index(run.name) + 1}" if run.name in marked else "  "
        cells = cells_of(run, columns, _GAP)
        line = fit(
            (
                (f" {number} ", "accent"),
                RUN_MARKS[run.status],
                (" ", ""),
                (left(labels[run.path], name), "strong" if run.status == "running" else ""),
                (cells, ""),
            ),
            width,
        )
        lines.append(tuple((piece, "selected") for piece, _ in line) if at == cursor else line)
    return lines[:height]


def difference_lines(runs: Sequence[RunEntry], width: int, height: int) -> list[Line]:
    """The marked runs side by side: their results, and the settings that are not the same."""
    lines = [title("What differs", (), (), width)]
    if len(runs) < 2:
        return [*lines, fit((("space", "key"), (" marks runs to compare; two at the least", "muted")), width)][:height]
    label = min(24, max(14, width - 10 * len(runs)))
    cell = max(6, (width - label) // len(runs))

    def row(name: str, values: Sequence[str], role: str = "") -> Line:
        text = "".join(right(cut(value, cell - 1), cell) for value in values)
        return fit(((left(cut(name, label - 1), label), "muted"), (text, role)), width)

    lines.append(row("", [f"▪{number}" for number in range(1, len(runs) + 1)], "accent"))
    lines.append(row("run", list(labels_of(runs).values())))
    lines.append(row("trains at the end", [run.trains or formats.NONE for run in runs]))
    lines.append(
        row("best val", [formats.accuracy(run.best.val_accuracy if run.best else None) for run in runs], "val")
    )
    lines.append(row("at epoch", [str(run.best.epoch) if run.best else formats.NONE for run in runs]))
    lines.append(row("seconds an epoch", [formats.duration(run.seconds_per_epoch) for run in runs]))
    lines += [row(key, values) for key, values in settings_that_differ(runs)]
    alike = settings_alike(runs)
    notes = [f"the same in all: {formats.plural(alike, 'other setting')}"] if alike else []
    if note := noise_note(runs):
        notes.append(note)
    notes = notes[max(0, len(notes) - height + 1) :]
    return [*lines[: max(1, height - len(notes))], *(fit(((note, "muted"),), width) for note in notes)][:height]


def noise_note(runs: Sequence[RunEntry]) -> str:
    """Which of the marked runs cannot be told apart by their best validation accuracy; nothing if all can."""
    near = []
    for at, one in enumerate(runs):
        for other in range(at + 1, len(runs)):
            two = runs[other]
            if one.best and two.best and one.val_images and two.val_images:
                a, b = one.best.val_accuracy, two.best.val_accuracy
                error = max(standard_error(a, one.val_images), standard_error(b, two.val_images))
                if abs(a - b) <= error:
                    near.append((at + 1, other + 1, error))
    if not near:
        return ""
    pairs = ", ".join(f"▪{a} and ▪{b}" for a, b, _ in near)
    return f"{pairs}: within the noise (±{max(error for *_, error in near) * 100:.1f})"


def history_lines(run: RunEntry | None, width: int, height: int) -> list[Line]:
    """What was done in a run, and to what figure it had come then."""
    name = run.short_name if run else ""
    lines = [title("What was done", ((name, "strong"),), (), width)]
    if run is None:
        return lines
    if run.reason:
        lines.append(fit(((f"{run.status}: {run.reason}", "warn"),), width))
    room = max(1, width - 13)

    def deed(epoch: int, text: str, figure: float | None) -> Line:
        shown = "" if figure is None else formats.accuracy(figure)
        return fit(((f"{epoch:>4}  ", "muted"), (left(text, room), ""), (f"{shown:>6}", "val")), width)

    for epoch, text in run.done:
        before = next((end for end in run.epochs if end.epoch == epoch - 1), None)
        lines.append(deed(epoch, text, before.val_accuracy if before else None))
    if run.epochs:
        last = run.epochs[-1]
        lines.append(deed(last.epoch, run.status, last.val_accuracy))
        if run.best:
            lines.append(deed(run.best.epoch, "best", run.best.val_accuracy))
    return lines[:height]


def _clock(started: float) -> str:
    return time.strftime("%m-%d %H:%M", time.localtime(started)) if started else formats.NONE


def _pace(seconds: float | None) -> str:
    if seconds is None:
        return formats.NONE
    return f"{seconds:.{2 if seconds < 9.995 else 1 if seconds < 999.95 else 0}f}"


def _progress(run: RunEntry) -> str:
    return f"{len(run.epochs)}/{run.epochs_planned}" if run.epochs_planned else formats.NONE
