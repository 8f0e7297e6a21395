"""When a training is kept: at the end of an epoch, where a command asks for it, before what is written would change."""

from __future__ import annotations

from fxtui.engine.checkpoints.snapshot import Snapshots
from fxtui.engine.checkpoints.writer import CheckpointWriter
from fxtui.engine.metrics.progress import Progress
from fxtui.engine.training.epoch import Epoch


class Keeping:
    """Keeps a run's state as ``last``, and as ``best`` where it is."""

    def __init__(self, snapshots: Snapshots, writer: CheckpointWriter, progress: Progress, epoch: Epoch) -> None:
        self._snapshots = snapshots
        self._writer = writer
        self._progress = progress
        self._epoch = epoch

    def keep(self, accuracy: float | None = None, best: bool = False) -> None:
        """Take a copy of the present state, written when it is time. ``accuracy``: of the validation just done."""
        under_way = self._progress.batch > 0
        if under_way:
            self._epoch.report(force=True)
        seconds = self._epoch.seconds() if under_way else 0.0
        self._snapshots.keep(self._epoch.meter.state(), seconds, accuracy, best)

    def checkpoint(self) -> None:
        """Write the state between these two batches as ``last``."""
        self.keep()
        self.flush()

    def flush(self) -> None:
        """Write what waits: it is from before what comes now, and must be on disk before it, too."""
        self._writer.flush()
