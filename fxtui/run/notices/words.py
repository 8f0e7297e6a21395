"""A run in a few words, for a status line and a window's title. Pure; no word can move a cursor."""

from __future__ import annotations

from fxtui.run.state import RunState
from fxtui.run.summary import RunSummary
from fxtui.text import numbers as fmt

BELL = "\a"
# xterm's stack of titles: what stood there before is had back afterwards.
# Source: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
KEEP_TITLE, TITLE_BACK = "\x1b[22;2t", "\x1b[23;2t"
_LONGEST = 200


def summary_line(run: RunSummary) -> str:
    """How a run stands that does not train now: `holding 5/5 92.0%`, `failed: loss is NaN`."""
    if run.status in ("failed", "damaged"):
        return _plain(f"{run.status}: {run.reason}" if run.reason else run.status)
    planned = f"{run.epochs_done}/{run.epochs_planned}" if run.epochs_planned else ""
    return _joined(run.status, planned, "" if run.best_accuracy is None else fmt.accuracy(run.best_accuracy))


def running_line(state: RunState) -> str:
    """How a run is going: `12/50 93.5% 2.2 s/epoch left 1m 23s`; a run that trains needs no word for it."""
    if state.phase == "extracting" and state.extraction:
        done = state.extraction
        left = (done.total - done.done) / done.images_per_s if done.images_per_s else None
        rate = fmt.rate(done.images_per_s) if done.images_per_s else ""
        return _joined("extracting", f"{done.done:,}/{done.total:,}", rate, _left(left))
    if state.phase not in ("training", "validating", "paused"):
        return state.phase
    pace = state.seconds_per_epoch
    speed = "" if pace is None else f"{fmt.roughly(pace)}/epoch"
    if state.phase == "paused":
        return _joined("paused", *_progress(state), speed)
    return _joined(*_progress(state), speed, _left(state.seconds_left))


def title(state: RunState) -> str:
    """What a terminal's window is called while a run is watched there: `12/50 93.5% fxtui`."""
    word = {"holding": "holding", "paused": "paused", "failed": "failed", "stopped": "stopped", "finished": "finished"}
    return _joined(word.get(state.phase, ""), *_progress(state), "fxtui")


def set_title(text: str) -> str:
    """What to send to a terminal to name its window so (OSC 2)."""
    return f"\x1b]2;{_plain(text)}\x1b\\"


def _progress(state: RunState) -> tuple[str, str]:
    """Where it is, the epoch under way counted, and its best accuracy; nothing of what is not known."""
    done, batch = len(state.epochs), state.batch
    under_way = batch is not None and batch.epoch > done and state.phase in ("training", "validating", "paused")
    at = batch.epoch if batch is not None and under_way else done
    planned = f"{at}/{state.epochs_planned}" if state.epochs_planned else ""
    return planned, fmt.accuracy(state.best.val_accuracy) if state.best else ""


def _left(seconds: float | None) -> str:
    return f"left {fmt.roughly(seconds)}" if seconds else ""


def _joined(*words: str) -> str:
    return " ".join(filter(None, words))


def _plain(text: str) -> str:
    """In one line, without control characters."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(shown.split())[:_LONGEST]
