"""When a training is kept: at the end of an epoch, where a command asks for it, before what is written would change."""

from __future__ import annotations

import time

from fxtui.engine.checkpoints.snapshot import Snapshots
from fxtui.engine.checkpoints.writer import CheckpointWriter
from fxtui.engine.metrics.progress import Progress
from fxtui.engine.training.epoch import Epoch


class Keeping:
    """Keeps a run's state as ``last``, and as ``best`` where it is.

    Epochs that take longer are kept every so many ``minutes``, too; 0: only at their ends.
    """

    def __init__(
        self, snapshots: Snapshots, writer: CheckpointWriter, progress: Progress, epoch: Epoch, minutes: float
    ) -> None:
        self._snapshots = snapshots
        self._writer = writer
        self._progress = progress
        self._epoch = epoch
        self._seconds = minutes * 60
        self._kept = time.monotonic()

    def keep(self, accuracy: float | None = None, best: bool = False) -> None:
        """Take a copy of the present state, written when it is time. ``accuracy``: of the validation just done."""
        under_way = self._progress.batch > 0
        if under_way:
            self._epoch.report(force=True)
        seconds = self._epoch.seconds() if under_way else 0.0
        self._snapshots.keep(self._epoch.meter.state(), seconds, accuracy, best)
        self._kept = time.monotonic()

    def keep_if_due(self) -> None:
        """Between two batches: take a copy if the last one is long ago. Nothing waits for it to be written."""
        if self._seconds and time.monotonic() - self._kept >= self._seconds:
            self.keep()

    def checkpoint(self) -> bool:
        """Write the state between these two batches as ``last``; says whether it is written."""
        self.keep()
        return self.flush()

    def flush(self) -> bool:
        """Write what waits: it is from before what comes now, and must be on disk before it, too."""
        return self._writer.flush()
