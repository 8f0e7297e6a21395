"""A run in a few figures, for lists of runs: read from its summary where that is enough, else from its journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from fxtui.config import ConfigError
from fxtui.protocol.events import RunStatus
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory, plain_name, write_atomically

Status = Literal["running", "finished", "stopped", "failed", "interrupted", "damaged"]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run beside others. ``status`` follows one rule, whoever asks.

    - damaged: neither a summary nor a journal of it can be read, and nobody writes to it; ``reason`` says why.
    - finished, stopped or failed: what was read says that it ended so; ``reason`` explains it where there is one.
    - running: no end was read, and a process holds its lock.
    - interrupted: no end was read, and nobody holds its lock.

    ``best_accuracy`` is validation's, a fraction, None before the run has ended; ``seconds`` is how long it took,
    ``started`` since the epoch.
    """

    name: str
    path: Path
    status: Status
    reason: str = ""
    backbone: str = ""
    epochs_done: int = 0
    best_accuracy: float | None = None
    seconds: float = 0.0
    started: float = 0.0

    @property
    def short_name(self) -> str:
        """The name without the time it begins with."""
        return plain_name(self.name)


def read_summary(run: RunDirectory) -> RunSummary:
    """What is known of a run; the journal is read only where there is no summary, or an older one."""
    locked = run.is_locked()
    if (saved := _saved(run)) is not None:
        return RunSummary(
            name=run.name,
            path=run.path,
            status=saved.status,
            reason=saved.reason,
            backbone=saved.backbone or "",
            epochs_done=saved.epochs,
            best_accuracy=saved.best.get("val_accuracy") if saved.best else None,
            seconds=saved.seconds,
            started=saved.started,
        )
    try:
        return summary_of(run.load_state(), run, locked=locked)
    except ConfigError as error:
        return unread_summary(run, error, locked=locked)


def summary_of(state: RunState, run: RunDirectory, *, locked: bool) -> RunSummary:
    """What is known of a run whose state is at hand."""
    finished = state.finished
    return RunSummary(
        name=run.name,
        path=run.path,
        status=finished.status if finished else "running" if locked else "interrupted",
        reason=state.reason,
        backbone=state.model.backbone if state.model else "",
        epochs_done=len(state.epochs),
        best_accuracy=finished.best.val_accuracy if finished and finished.best else None,
        seconds=state.elapsed,
        started=state.started,
    )


def unread_summary(run: RunDirectory, fault: ConfigError, *, locked: bool) -> RunSummary:
    """What is left to say of a run that cannot be read. One that begins has its lock before its journal."""
    if locked:
        return RunSummary(run.name, run.path, "running")
    return RunSummary(run.name, run.path, "damaged", str(fault) if run.journal.exists() else "has no events.jsonl")


def summarise(state: RunState) -> dict[str, Any]:
    """What is worth keeping of a run in one small record: the keys of ``summary.json``."""
    finished, model, data = state.finished, state.model, state.data
    return {
        "name": state.name,
        "status": finished.status if finished else "interrupted",
        "reason": finished.reason if finished else "",
        "started": state.started,
        "seconds": round(state.elapsed, 3),
        "backbone": model.backbone if model else None,
        "device": model.device if model else None,
        "classes": len(data.classes) if data else None,
        "train_images": data.train if data else None,
        "val_images": data.val if data else None,
        "epochs": len(state.epochs),
        "steps": state.step,
        "best": finished.best if finished else None,
        "final": finished.final if finished else None,
        "timings": finished.timings if finished else {},
        "skipped_files": len(state.skipped),
    }


def write_summary(run: RunDirectory, state: RunState) -> None:
    """Write ``summary.json`` from the state of an ended run, whose journal is complete."""
    write_atomically(run.summary, msgspec.json.format(msgspec.json.encode(summarise(state)), indent=2))


class _Saved(Struct):
    """The part of a ``summary.json`` that is read here. A file that another hand wrote may lack it."""

    status: RunStatus
    reason: str
    started: float
    seconds: float
    backbone: str | None
    epochs: int
    best: dict[str, float | None] | None


def _saved(run: RunDirectory) -> _Saved | None:
    """The summary of a run that has ended; None where the journal has to be asked."""
    try:
        if run.summary.stat().st_mtime_ns < run.journal.stat().st_mtime_ns:
            # What was written to the journal since, or befell it, is not in the summary.
            return None
        return msgspec.json.decode(run.summary.read_bytes(), type=_Saved)
    except (OSError, msgspec.DecodeError):
        return None
