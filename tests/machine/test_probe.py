"""What NVIDIA's driver tells, device by device."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pynvml
import pytest

from fxtui.machine.probe import Probe

GIB = 1024**3


class Driver:
    """NVIDIA's driver with three devices, of which the second tells no use."""

    UTILIZATION: ClassVar[dict[int, int | None]] = {0: 12, 1: None, 2: 87}

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("nvmlInit", "nvmlShutdown"):
            monkeypatch.setattr(pynvml, name, lambda: None)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: len(self.UTILIZATION))
        monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", self.by_index)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", self.by_uuid)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: f"device {handle}")
        monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", self.use)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", self.memory)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetTemperature", lambda *_: 61)

    def by_index(self, number: int) -> int:
        if number not in self.UTILIZATION:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return number

    def by_uuid(self, name: str) -> int:
        return self.by_index(int(name.removeprefix("GPU-")) if name.startswith("GPU-") else -1)

    def memory(self, handle: int, version: int | None = None) -> SimpleNamespace:
        """What the driver keeps for itself is used in the first version; the first device knows no other."""
        if version and handle == 0:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        return SimpleNamespace(used=GIB if version else 2 * GIB, total=8 * GIB)

    def use(self, handle: int) -> SimpleNamespace:
        percent = self.UTILIZATION[handle]
        if percent is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=percent)


@pytest.mark.parametrize(
    ("visible", "seen"),
    [(None, [0, 1, 2]), ("2,0", [2, 0]), ("GPU-1", [1]), ("", []), ("-1", []), ("1,7,0", [1])],
)
def test_graphics_processors_are_numbered_as_the_run_sees_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, visible: str | None, seen: list[int]
) -> None:
    Driver(monkeypatch)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpus = Probe(tmp_path).sample().gpus
    assert [gpu.name for gpu in gpus] == [f"device {number}" for number in seen]
    expected = [Driver.UTILIZATION[number] for number in seen]
    assert [gpu.use for gpu in gpus] == [None if use is None else use / 100 for use in expected]
    assert [gpu.memory_used for gpu in gpus] == [2 * GIB if number == 0 else GIB for number in seen]
