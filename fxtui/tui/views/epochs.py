"""The epoch table."""

from __future__ import annotations

from fxtui.run.state import RunState
from fxtui.text import numbers as formats
from fxtui.text.cells import cut
from fxtui.text.lines import Line, Piece, fit, title
from fxtui.tui.views.curves import freeze_words


def epoch_lines(state: RunState, width: int, height: int, focused: bool = False) -> list[Line]:
    """The epoch table, newest first, the running one on top."""
    wide = width >= 60
    head = f"{'epoch':>5} {'loss':>7} {'val loss':>8} {'accuracy':>8} {'val acc':>7} {'s':>6}  observation"
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
    a, b, c, d, e = (5, 8, 9, 9, 8) if wide else (3, 8, 8, 7, 8)
    cells: list[Piece] = [
        (f"{epoch:>{a}}", "muted"),
        (f"{formats.loss(loss):>{b}}", "train"),
        (f"{formats.loss(val_loss):>{c}}", "val"),
        (f"{formats.accuracy(accuracy):>{d}}", "train"),
        (f"{formats.accuracy(val):>{e}}", "val"),
    ]
    if wide:
        text = formats.NONE if seconds is None else f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}"
        cells.append((f"{text:>7}", ""))
    return cells


def _observation(text: str, best: bool, change: str, wide: bool) -> list[Piece]:
    if change:
        return [("  ◆ " if wide else " ◆", "accent"), (cut(f"{change} {text}", 28, "") if wide else "", "")]
    if best:
        return [("  ★ " if wide else " ★", "val"), (text if wide else "", "strong")]
    worth = text.startswith(("flat", "overfits")) or text.endswith("loss up")
    return [
        ("  ▸ " if worth and wide else " ▸" if worth else "    ", "warn"),
        (text if wide else "", "warn" if worth else "muted"),
    ]
