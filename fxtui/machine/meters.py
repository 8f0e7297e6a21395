"""What the machine is busy with: processor, memory, graphics processors, disk. Measured only while it is asked."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path

from fxtui.machine.samples import MachineSample

_PERIOD = 2.0
# Nobody has asked for so long: nothing shows the figures any more.
_INTEREST_SECONDS = 6.0
KEPT = 120


class Meters:
    """Measures the machine at most every two seconds, and only while :meth:`latest` is asked.

    ``directory`` is on the disk whose room is told. Any thread may ask.
    """

    def __init__(self, directory: Path, period: float = _PERIOD) -> None:
        self._directory = directory
        self._period = period
        self._samples: deque[MachineSample] = deque(maxlen=KEPT)
        self._asked = 0.0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def latest(self) -> MachineSample | None:
        """The newest figures; None: there are none yet."""
        with self._lock:
            self._asked = time.monotonic()
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._measure, name="fxtui-meters", daemon=True)
                self._thread.start()
            return self._samples[-1] if self._samples else None

    def history(self) -> list[MachineSample]:
        """The last two minutes and more in which someone asked, oldest first."""
        with self._lock:
            return list(self._samples)

    def close(self) -> None:
        """Measure no more."""
        self._closed.set()

    def _measure(self) -> None:
        # The first paint does not wait for what measuring needs.
        if self._closed.wait(min(0.5, self._period)):
            return
        from fxtui.machine.probe import Probe

        probe = Probe(self._directory)
        try:
            while not self._closed.wait(self._period if self._samples else min(0.5, self._period)):
                sample = probe.sample()
                with self._lock:
                    self._samples.append(sample)
                    if time.monotonic() - self._asked > _INTEREST_SECONDS:
                        self._thread = None
                        return
        finally:
            probe.close()
