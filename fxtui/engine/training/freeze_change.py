"""Freezing and unfreezing a running model: one transaction between two batches."""

from __future__ import annotations

import time
from collections.abc import Callable

from fxtui.engine.training.keeping import Keeping
from fxtui.engine.training.parts import TrainingParts
from fxtui.protocol.events import FreezeChanged


class FreezeChange:
    """Moves the freeze boundary, all or nothing: flags, modes, cut, feed, parameter groups, averages, layer table."""

    def __init__(self, parts: TrainingParts, keeping: Keeping) -> None:
        self._parts = parts
        self._keeping = keeping

    def to(self, trainable: frozenset[str], origin: str) -> str:
        """Have exactly these parameters train besides the head, and return a sentence about it.

        Raises:
            CommandRefusedError: nothing would change.
        """
        freezing = self._parts.run.freezing
        return self._transact(lambda: freezing.change_to(trainable), freezing.undo, origin)

    def undo(self) -> str:
        """Go back to the freezing before the last change.

        Raises:
            CommandRefusedError: there was no change.
        """
        freezing = self._parts.run.freezing
        present = freezing.trainable

        def take_back() -> None:
            freezing.change_to(present)

        return f"{self._transact(freezing.undo, take_back, 'undo')}; weights stay as they were trained"

    def _transact(self, change: Callable[[], None], take_back: Callable[[], None], origin: str) -> str:
        parts = self._parts
        freezing, progress = parts.run.freezing, parts.progress
        started = time.monotonic()
        # Frozen tensors are about to move, which a copy that waits to be written does not hold.
        self._keeping.flush()
        before = freezing.trainable
        try:
            parts.boundary.move(change, take_back)
        finally:
            parts.clock.timings["extract"] += time.monotonic() - started
        parts.optimization.sync(progress.step)
        if parts.average:
            parts.average.sync()
        parts.settle()
        after = freezing.trainable
        text = freezing.describe_change(before, after)
        rows, trainable = parts.layers.changes()
        parts.emit(
            FreezeChanged(
                before=freezing.describe(before),
                after=freezing.describe(after),
                origin=origin,
                text=text,
                epoch=progress.epoch + 1,
                step=progress.step,
                rows=rows,
                trainable_parameters=trainable,
                depth=len(freezing.history),
            )
        )
        parts.clock.discount(time.monotonic() - started)
        return text
