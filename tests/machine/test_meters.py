"""What the machine is busy with is measured only while someone asks."""

from __future__ import annotations

from pathlib import Path

from fxtui.machine.meters import Meters


def test_nothing_is_measured_before_someone_asks(tmp_path: Path) -> None:
    meters = Meters(tmp_path, period=0.01)
    assert meters.history() == []
    while meters.latest() is None:
        pass
    sample = meters.history()[-1]
    assert 0.0 <= sample.cpu <= 1.0
    assert 0 < sample.ram_used <= sample.ram_total
    assert sample.process_memory > 0
    assert sample.disk_free is not None
    meters.close()
    assert Meters(tmp_path / "away").history() == []
