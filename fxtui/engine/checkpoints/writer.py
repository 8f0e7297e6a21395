"""Keeps the last and the best state of a run: in memory at once, on disk at a pace the disk can follow.

Head training finishes epochs faster than a disk can sync. So an epoch's end takes a copy of what can have changed, and
a thread writes it when the last write is long enough ago. Training waits for it only before anything makes the copy
incomplete, and at the end. What cannot be written is tried again with the next copy.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor, nn

from fxtui.engine.checkpoints.files import CheckpointInfo, has_checkpoint, save_checkpoint, sweep
from fxtui.engine.freezing.moving_names import moving_names
from fxtui.protocol.events import CheckpointSaved, Event, RunWarning
from fxtui.run.store import RunDirectory

Kind = Literal["last", "best"]
# A run continued from `last` must find the best epoch that `last` knows of.
_ORDER: tuple[Kind, ...] = ("best", "last")
_SECONDS_BETWEEN = 10.0
_WRITE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A state with the tensors that were not frozen then; ``whole``: with those that were, too."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]
    info: CheckpointInfo
    whole: bool = False


class CheckpointWriter:
    """Writes the checkpoints of one run. To be used by one thread, and closed by it."""

    def __init__(self, model: nn.Module, run: RunDirectory, emit: Callable[[Event], None]) -> None:
        self._model = model
        self._run = run
        self._emit = emit
        self._pending: dict[Kind, _Snapshot] = {}
        # Of what waits: the thread that writes gives back what it could not.
        self._lock = threading.Lock()
        self._writing: threading.Thread | None = None
        self._next_write = 0.0
        self._failing = False
        sweep(run)

    def keep(self, state: dict[str, Any], info: CheckpointInfo, best: Mapping[str, Tensor] | None) -> None:
        """Take a copy of the present state as ``last`` and have written what is due.

        ``best``: it is the best so far, too; kept with these tensors in place of the model's.
        """
        moving = moving_names(self._model)
        tensors = {name: t.detach().clone() for name, t in self._model.state_dict().items() if name in moving}
        snapshot = _Snapshot(tensors, copy.deepcopy(state), info)
        with self._lock:
            if best is not None:
                instead = {name: tensor.clone() for name, tensor in best.items()}
                self._pending["best"] = replace(snapshot, tensors=tensors | instead)
            self._pending["last"] = snapshot
        busy = self._writing is not None and self._writing.is_alive()
        if not busy and time.monotonic() >= self._next_write:
            self._start()

    def flush(self) -> bool:
        """Write everything that waits; says whether it is written. Must come before frozen tensors begin to move."""
        self.close()
        if self._pending:
            self._start()
            self.close()
        if not self._pending:
            return True
        # It is tried again later, when what is frozen now may have moved.
        frozen: dict[str, Tensor] = {}
        for kind, snapshot in self._pending.items():
            if not snapshot.whole:
                frozen = frozen or {name: tensor.detach().clone() for name, tensor in self._model.state_dict().items()}
                self._pending[kind] = replace(snapshot, tensors=frozen | snapshot.tensors, whole=True)
        return False

    def close(self) -> None:
        """Wait for the thread that writes."""
        if self._writing is not None:
            self._writing.join()
            self._writing = None

    def _start(self) -> None:
        with self._lock:
            snapshots, self._pending = self._pending, {}
        frozen = self._model.state_dict()
        writing = threading.Thread(target=self._write, args=(snapshots, frozen), name="fxtui-checkpoints")
        try:
            writing.start()
        except RuntimeError:
            # The system has no more threads to give.
            self._write(snapshots, frozen)
        else:
            self._writing = writing

    def _write(self, snapshots: dict[Kind, _Snapshot], frozen: dict[str, Tensor]) -> None:
        started = time.monotonic()
        kinds = [kind for kind in _ORDER if kind in snapshots]
        for number, kind in enumerate(kinds):
            snapshot = snapshots[kind]
            tensors = snapshot.tensors if snapshot.whole else frozen | snapshot.tensors
            try:
                size = save_checkpoint(self._run, kind, tensors, snapshot.state, snapshot.info)
            # Whatever it is, it must not end the training, and not this thread without a word either.
            except Exception as error:  # noqa: BLE001
                with self._lock:
                    for left in kinds[number:]:
                        self._pending.setdefault(left, snapshots[left])
                self._fails(kind, error)
                break
            self._failing = False
            self._emit(
                CheckpointSaved(
                    kind=kind,
                    path=f"checkpoints/{kind}",
                    epoch=snapshot.info.epoch,
                    step=snapshot.info.step,
                    val_accuracy=snapshot.info.val_accuracy,
                    bytes=size,
                )
            )
        now = time.monotonic()
        self._next_write = now + max(_SECONDS_BETWEEN, (now - started) / _WRITE_SHARE)

    def _fails(self, kind: Kind, error: Exception) -> None:
        if not self._failing:
            detail = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
            earlier = "the earlier one stays" if has_checkpoint(self._run, kind) else "there is none yet"
            self._emit(RunWarning(text=f"no checkpoint written: {detail}; {earlier}, and it is tried again"))
        self._failing = True
