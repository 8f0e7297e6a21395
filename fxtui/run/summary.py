"""A run in a few figures, for lists of runs: read from its summary where that is enough, else from its journal."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from fxtui.config import ConfigError
from fxtui.protocol.events import RunStatus
from fxtui.protocol.schedule import MOST_EPOCHS
from fxtui.run.journal import LATEST
from fxtui.run.progress import ProgressReader
from fxtui.run.state import ENDED, RunState
from fxtui.run.storage import write_atomically
from fxtui.run.store import RunDirectory, RunStore, plain_name
from fxtui.text import numbers as fmt

# Bytes: more is not ours.
_LARGEST = 1 << 20
Status = Literal["running", "holding", "finished", "stopped", "failed", "interrupted", "damaged"]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run beside others. ``status`` follows one rule, whoever asks.

    - damaged: neither a summary nor a journal of it can be read, and nobody writes to it; ``reason`` says why.
    - finished, stopped or failed: what was read says that it ended so; ``reason`` explains it where there is one. A run
      that held and whose process is gone has lost nothing: it is finished.
    - holding: it said last that it holds, and a process holds its lock.
    - running: no end was read, and a process holds its lock.
    - interrupted: no end was read, and nobody holds its lock.

    ``best_accuracy`` is validation's, a fraction, the best so far where the run has not ended; ``seconds`` is how long
    it took, ``started`` since the epoch. ``pid`` and ``host`` are the process that trains, or that did until it was
    interrupted; 0 and nothing once the run has ended, and where they are not known.
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
    epochs_planned: int = 0
    pid: int = 0
    host: str = ""

    @property
    def short_name(self) -> str:
        """The name without the time it begins with."""
        return plain_name(self.name)

    @property
    def is_open(self) -> bool:
        """Whether a process has it: it can be watched, and not be removed."""
        return self.status in ("running", "holding")


def progress_of(summary: RunSummary) -> str:
    """How far a run is: `12 of 50 epochs`, or what is known of that."""
    if summary.epochs_planned:
        return f"{summary.epochs_done} of {fmt.plural(summary.epochs_planned, 'epoch')}"
    return fmt.plural(summary.epochs_done, "epoch") if summary.epochs_done else ""


def where_it_runs(summary: RunSummary) -> str:
    """Which process has a run: `pid 4711 on box-7`, or what is known of it."""
    if not summary.pid:
        return "another process"
    return f"pid {summary.pid}" + (f" on {summary.host}" if summary.host else "")


def read_summary(run: RunDirectory, reader: ProgressReader | None = None) -> RunSummary:
    """What is known of a run; the journal is read only where there is no summary, or an older one.

    ``reader``: what it is read with then, and what knows more of the run afterwards.
    """
    return _read(run, reader or ProgressReader(run), locked=run.is_locked())


class Summaries:
    """The runs below a directory, each read again only where it has changed. Not to be used by two threads at once."""

    def __init__(self, root: Path) -> None:
        self._store = RunStore(root)
        self._known: dict[Path, tuple[object, RunSummary]] = {}
        self._readers: dict[Path, ProgressReader] = {}

    def read(self) -> list[RunSummary]:
        """What is known of every run now, the oldest first."""
        runs = self._store.list()
        paths = {run.path for run in runs}
        self._known = {path: known for path, known in self._known.items() if path in paths}
        self._readers = {path: reader for path, reader in self._readers.items() if path in paths}
        return [self._summary(run) for run in runs]

    def _summary(self, run: RunDirectory) -> RunSummary:
        key = (run.is_locked(), _version(run.journal), _version(run.summary))
        known = self._known.get(run.path)
        if known is None or known[0] != key:
            reader = self._readers.setdefault(run.path, ProgressReader(run))
            known = self._known[run.path] = (key, _read(run, reader, locked=key[0]))
            if known[1].status == "damaged" or not known[1].is_open:
                # What ended may yet go on; it is read from its beginning then.
                del self._readers[run.path]
        return known[1]


def _read(run: RunDirectory, reader: ProgressReader, *, locked: bool) -> RunSummary:
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
            epochs_planned=saved.epochs_planned,
        )
    try:
        return summary_of(reader.poll(), run, locked=locked)
    except ConfigError as error:
        return unread_summary(run, error, locked=locked)


def _version(path: Path) -> tuple[int, int] | None:
    """What is another once there is something new in a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def summary_of(state: RunState, run: RunDirectory, *, locked: bool) -> RunSummary:
    """What is known of a run whose state is at hand."""
    status, best = _status(state, locked), state.best
    ended = status in ENDED
    if state.finished:
        accuracy = state.finished.best.val_accuracy if state.finished.best else None
    else:
        accuracy = best.val_accuracy if best else None
    return RunSummary(
        name=run.name,
        path=run.path,
        status=status,
        reason=state.holding.reason if state.holding else state.reason,
        backbone=state.model.backbone if state.model else "",
        epochs_done=len(state.epochs),
        best_accuracy=accuracy,
        seconds=state.elapsed,
        started=state.started,
        epochs_planned=state.epochs_planned,
        pid=0 if ended else state.pid,
        host="" if ended else state.host,
    )


def _status(state: RunState, locked: bool) -> Status:
    if state.finished:
        return state.finished.status
    if state.holding:
        return "holding" if locked else "finished"
    return "running" if locked else "interrupted"


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
        "status": _status(state, locked=False),
        "reason": finished.reason if finished else "",
        "started": state.started,
        "seconds": round(state.elapsed, 3),
        "backbone": model.backbone if model else None,
        "device": model.device if model else None,
        "classes": len(data.classes) if data else None,
        "train_images": data.train if data else None,
        "val_images": data.val if data else None,
        "epochs": len(state.epochs),
        "epochs_planned": state.epochs_planned,
        "steps": state.step,
        "best": finished.best if finished else None,
        "final": finished.final if finished else None,
        "timings": finished.timings if finished else {},
        "skipped_files": len(state.skipped),
    }


def write_summary(run: RunDirectory, state: RunState) -> None:
    """Write ``summary.json`` from the state of an ended run, whose journal is complete.

    Raises:
        OSError: it cannot be written; nothing of it is there then.
    """
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
    epochs_planned: int = 0


def _saved(run: RunDirectory) -> _Saved | None:
    """The summary of a run that has ended; None where the journal has to be asked."""
    try:
        found = run.summary.stat()
        if not stat.S_ISREG(found.st_mode):
            return None
        if found.st_mtime_ns < run.journal.stat().st_mtime_ns or found.st_size > _LARGEST:
            # What was written to the journal since, or befell it, is not in the summary.
            return None
        saved = msgspec.json.decode(run.summary.read_bytes(), type=_Saved)
    except (OSError, ValueError, RecursionError, msgspec.DecodeError):
        return None
    plausible = 0 <= saved.started < LATEST and 0 <= saved.seconds < LATEST and 0 <= saved.epochs <= MOST_EPOCHS
    return saved if plausible else None
