"""Keeps the last and the best state of a run: in memory at once, on disk at a pace the disk can follow.

Head training finishes epochs faster than a disk can sync. So an epoch's end takes a copy of what can have changed, and
it is written when the last write is long enough ago, before anything makes the copy incomplete, and at the end.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor, nn

from fxtui.engine.checkpoints.files import CheckpointInfo, save_checkpoint
from fxtui.engine.freezing.moving_names import moving_names
from fxtui.protocol.events import CheckpointSaved, Event
from fxtui.run.store import RunDirectory

Kind = Literal["last", "best"]
# A run continued from `last` must find the best epoch that `last` knows of.
_ORDER: tuple[Kind, ...] = ("best", "last")
_SECONDS_BETWEEN = 10.0
_WRITE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class _Snapshot:
    tensors: dict[str, Tensor]
    state: dict[str, Any]
    info: CheckpointInfo


class CheckpointWriter:
    """Writes the checkpoints of one run."""

    def __init__(self, model: nn.Module, run: RunDirectory, emit: Callable[[Event], None]) -> None:
        self._model = model
        self._run = run
        self._emit = emit
        self._pending: dict[Kind, _Snapshot] = {}
        self._next_write = 0.0

    def keep(self, state: dict[str, Any], info: CheckpointInfo, best: Mapping[str, Tensor] | None) -> None:
        """Take a copy of the present state as ``last`` and write what is due.

        ``best``: it is the best so far, too; kept with these tensors in place of the model's.
        """
        moving = moving_names(self._model)
        tensors = {name: t.detach().clone() for name, t in self._model.state_dict().items() if name in moving}
        snapshot = _Snapshot(tensors, copy.deepcopy(state), info)
        if best is not None:
            instead = {name: tensor.clone() for name, tensor in best.items()}
            self._pending["best"] = replace(snapshot, tensors=tensors | instead)
        self._pending["last"] = snapshot
        if time.monotonic() >= self._next_write:
            self.flush()

    def flush(self) -> None:
        """Write everything that waits. Must come before frozen tensors begin to move."""
        started = time.monotonic()
        for kind in _ORDER:
            if (snapshot := self._pending.get(kind)) is None:
                continue
            tensors = self._model.state_dict() | snapshot.tensors
            size = save_checkpoint(self._run, kind, tensors, snapshot.state, snapshot.info)
            del self._pending[kind]
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
