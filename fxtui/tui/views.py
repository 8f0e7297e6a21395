"""What the main screen says, as pure functions from a run's state to lines."""

from __future__ import annotations

import time
from collections.abc import Sequence

from fxtui import formats
from fxtui.run.events import LayerRow, StageName
from fxtui.run.state import RunState
from fxtui.tui.curves import freeze_words
from fxtui.tui.glyphs import trains_mark
from fxtui.tui.lines import Line, Piece, bar, fit, spread, title, width_of

_WIDE = 100
_STAGE_NAMES: dict[StageName, str] = {
    "images": "Raw Image Input",
    "preprocess": "Preprocessing",
    "features": "Feature Extraction",
    "train": "Classifier Training",
    "validate": "Validation",
}
_MARKS: dict[str, Piece] = {"done": ("✓", "ok"), "working": ("●", "ok"), "waiting": ("·", "muted")}
_PHASES: dict[str, Piece] = {
    "starting": ("● starting", "muted"),
    "loading": ("● loading", "muted"),
    "extracting": ("● extracting", "ok"),
    "training": ("● training", "ok"),
    "validating": ("● validating", "ok"),
    "paused": ("● paused", "warn"),
    "finished": ("✓ finished", "ok"),
    "stopped": ("✓ stopped", "warn"),
    "failed": ("✗ failed", "error"),
}


def top_line(state: RunState, width: int) -> Line:
    """The screen, and what runs where."""
    model = state.model
    where = [(state.name, "strong")]
    if model:
        where += [("  " + model.backbone, "muted"), ("  " + model.device, "muted")]
    while width_of(tuple(where)) > width - 20 and len(where) > 1:
        where.pop()
    return spread(((" fxtui ", "strong"), (" 1 Main ", "selected")), (*where, (" ", "")), width)


def status_line(state: RunState, width: int, now: float) -> Line:
    """How it is going, in one line."""
    wide = width >= _WIDE
    phase: list[Piece] = [(" ", ""), _PHASES[state.phase]]
    if state.reason and state.phase == "failed":
        return fit((*phase, (f": {state.reason}", "error")), width)
    done = len(state.epochs)
    running = state.batch is not None and state.batch.epoch > done and not state.ended
    current = state.batch.epoch if state.batch and running else done
    part = state.batch.batch / state.batch.batches if state.batch and running else 0.0
    planned = max(state.epochs_planned, 1)
    left: list[Piece] = [*phase, ("   " if wide else "  ", "")]
    if not state.epochs_planned:
        return fit(tuple(phase), width)
    if wide:
        left.append(("epoch ", "muted"))
    left += [
        (f"{current:>{len(str(planned))}}/{planned}", "strong"),
        ("  ", ""),
        *bar((done + part) / planned, 14 if wide else 9),
    ]
    if running and state.batch and wide:
        size = len(str(state.batch.batches))
        left += [("  step ", "muted"), (f"{state.batch.batch:>{size}}/{state.batch.batches}", "")]
    if (pace := state.seconds_per_epoch) is not None:
        left += [
            ("  ", ""),
            (formats.duration(pace).removesuffix(" s"), ""),
            (" s/epoch" if pace < 59.9 else "/epoch", "muted"),
        ]
    elapsed = state.elapsed if state.ended or not state.started else max(0.0, now - state.started)
    right: list[Piece] = []
    if wide and state.started:
        right += [("run ", "muted"), (formats.duration(round(elapsed) if elapsed >= 10 else elapsed), ""), ("   ", "")]
    if (rest := state.seconds_left) is not None and rest > 0:
        right += [("left ", "muted"), (f"≈{formats.duration(rest)}", ""), ("   ", "")]
    if state.best:
        at = f" epoch {state.best.epoch}" if wide else f" @{state.best.epoch}"
        right += [("best ", "muted"), (formats.accuracy(state.best.val_accuracy), "val"), (at, "muted")]
    return spread(tuple(left), (*right, (" ", "")), width)


def pipeline_lines(state: RunState, width: int) -> list[Line]:
    """The five stages with marks, shapes and rates: two lines, or one where it is narrow."""
    if width < _WIDE:
        pieces: list[Piece] = [(" ", "")]
        shown = ""
        for stage in _STAGE_NAMES:
            mark = _MARKS[state.stage_mark(stage)]
            text = _stage_shape(state, stage)
            word = {"train": " train", "validate": " val"}.get(stage, "")
            if stage == "features" and state.phase == "extracting" and state.extraction:
                text = f"{state.extraction.done}/{state.extraction.total} {formats.rate(state.extraction.images_per_s)}"
            same = text == shown and text != formats.NONE
            pieces += [mark, (f" {'same' if same else text}{word}", ""), (" → ", "muted")]
            shown = text
        return [fit(tuple(pieces[:-1]), width)]
    column = (width - 2) // 5
    names: list[Piece] = [(" ", "")]
    shapes: list[Piece] = [(" ", "")]
    for number, (stage, name) in enumerate(_STAGE_NAMES.items()):
        reached = state.stage_mark(stage)
        arrow = "→ " if number < 4 else ""
        names += [
            _MARKS[reached],
            (f" {name}".ljust(column - 1 - len(arrow)), "muted" if reached == "waiting" else "strong"),
            (arrow, "muted"),
        ]
        shapes.append((f"  {_stage_shape(state, stage)}{_stage_figure(state, stage)}".ljust(column)[:column], "muted"))
    return [fit(tuple(names), width), fit(tuple(shapes), width)]


def _stage_shape(state: RunState, stage: StageName) -> str:
    event = state.stages.get(stage)
    return formats.shape(event.shape_out) if event else formats.NONE


def _stage_figure(state: RunState, stage: StageName) -> str:
    if stage == "features" and state.extraction and not state.epochs:
        extraction = state.extraction
        if state.phase == "extracting" and extraction.images_per_s:
            left = (extraction.total - extraction.done) / extraction.images_per_s
            return f"  {extraction.done / extraction.total:.0%} ≈{formats.duration(left)}"
        return f"  {formats.rate(extraction.images_per_s)}" if extraction.images_per_s else ""
    if stage == "features" and state.cache and state.cache.reused:
        return "  reused"
    if stage == "train" and state.batch and state.batch.images_per_s:
        return f"  {formats.rate(state.batch.images_per_s)}"
    if stage == "validate" and state.epochs:
        return f"  {formats.accuracy(state.epochs[-1].val_accuracy)}"
    return ""


def epoch_lines(state: RunState, width: int, height: int, focused: bool = False) -> list[Line]:
    """The epoch table, newest first, the running one on top."""
    wide = width >= 60
    head = f"{'epoch':>5} {'loss':>9} {'val loss':>9} {'accuracy':>9} {'val acc':>8} {'s':>7}  observation"
    narrow = f"{'ep':>3} {'loss':>7} {'val':>7} {'acc':>6} {'val acc':>7}"
    rows: list[Line] = [title("Epochs", (), (("newest first", "muted"),) if wide else (), width, focused)]
    rows.append(fit(((head if wide else narrow, "muted"),), width))
    batch = state.batch
    if batch and batch.epoch > len(state.epochs) and not state.ended:
        cells = _epoch_cells(batch.epoch, batch.loss, None, batch.accuracy, None, None, wide)
        step = f"  step {batch.batch} of {batch.batches}" if wide else ""
        rows.append(fit((*cells, (step, "muted")), width))
    marked = {mark.step: freeze_words(mark.text) for mark in state.marks if mark.kind == "freeze"}
    previous = 0
    changes: dict[int, str] = {}
    for epoch in state.epochs:
        changes[epoch.epoch] = next((text for step, text in marked.items() if previous <= step < epoch.step), "")
        previous = epoch.step
    for epoch in reversed(state.epochs[-max(height, 1) :]):
        cells = _epoch_cells(
            epoch.epoch, epoch.train_loss, epoch.val_loss, epoch.train_accuracy, epoch.val_accuracy, epoch.seconds, wide
        )
        rows.append(
            fit((*cells, *_observation(epoch.observation, epoch is state.best, changes[epoch.epoch], wide)), width)
        )
    return rows[:height]


def _epoch_cells(
    epoch: int, loss: float | None, val_loss: float | None, accuracy: float | None, val: float | None,
    seconds: float | None, wide: bool,
) -> list[Piece]:  # fmt: skip
    a, b, c, d, e = (5, 10, 10, 10, 9) if wide else (3, 8, 8, 7, 8)
    cells: list[Piece] = [
        (f"{epoch:>{a}}", "muted"),
        (f"{formats.loss(loss):>{b}}", "train"),
        (f"{formats.loss(val_loss):>{c}}", "val"),
        (f"{formats.accuracy(accuracy):>{d}}", "train"),
        (f"{formats.accuracy(val):>{e}}", "val"),
    ]
    if wide:
        text = formats.NONE if seconds is None else f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}"
        cells.append((f"{text:>8}", ""))
    return cells


def _observation(text: str, best: bool, change: str, wide: bool) -> list[Piece]:
    if change:
        return [("  ◆ " if wide else " ◆", "accent"), (f"{change} {text}"[:28] if wide else "", "")]
    if best:
        return [("  ★ " if wide else " ★", "val"), (text if wide else "", "strong")]
    worth = text.startswith(("flat", "overfits", "rising"))
    return [
        ("  ▸ " if worth and wide else " ▸" if worth else "    ", "warn"),
        (text if wide else "", "warn" if worth else "muted"),
    ]


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
        text = f"{'  ' * depth}{label}{' ' + fold if fold else ''}{' !' if row.fault else ''}"
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


def log_lines(state: RunState, width: int, height: int, focused: bool = False) -> list[Line]:
    """The last lines of the log, newest first."""
    roles = {"warning": "warn", "error": "error", "output": "muted", "info": ""}
    lines: list[Line] = [title("Log", (), ((str(len(state.log)), "muted"),), width, focused)]
    for entry in reversed(state.log[-max(height, 1) :]):
        clock = time.strftime("%H:%M:%S", time.localtime(entry.t))
        lines.append(fit(((clock + "  ", "muted"), (entry.text, roles[entry.level])), width))
    return lines[:height]


def advice_line(text: str, key: str, width: int) -> Line:
    """The advice, with the key that carries it out."""
    if not text:
        return fit((("", ""),), width)
    room = width - (len(key) + 6 if key else 3)
    shown = text if len(text) <= room else text[: max(0, room - 1)] + "…"
    suffix: Line = ((f" ({key})", "key"),) if key and f"({key})" not in shown else ()
    return fit(((" ▸ ", "warn"), (shown, ""), *suffix), width)
