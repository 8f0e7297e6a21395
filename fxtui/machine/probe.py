"""Asks the operating system and NVIDIA's driver for the machine's figures."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

import psutil
import pynvml

from fxtui.machine.samples import GpuSample, MachineSample


class Probe:
    """Measures one moment after the other. ``directory`` is on the disk whose room is told."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process = psutil.Process(os.getpid())
        self._gpus = _open_gpus()
        # Shares are those since the call before.
        psutil.cpu_percent(percpu=True)
        self._process.cpu_percent()

    def sample(self) -> MachineSample:
        """The figures now; shares are those since the sample before."""
        cores = tuple(percent / 100 for percent in psutil.cpu_percent(percpu=True))
        memory = psutil.virtual_memory()
        disk = None
        with contextlib.suppress(OSError):
            disk = shutil.disk_usage(self._directory).free
        return MachineSample(
            cpu=sum(cores) / max(len(cores), 1),
            cores=cores,
            ram_used=memory.total - memory.available,
            ram_total=memory.total,
            process_memory=self._process.memory_info().rss,
            process_cpu=self._process.cpu_percent() / 100,
            gpus=tuple(_gpu_sample(handle) for handle in self._gpus or ()),
            disk_free=disk,
        )

    def close(self) -> None:
        """Let go of the driver."""
        if self._gpus is not None:
            with contextlib.suppress(pynvml.NVMLError):
                pynvml.nvmlShutdown()


def _open_gpus() -> list[object] | None:
    # Machines without NVIDIA's driver are the rule, not an error.
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    handles: list[object] = []
    with contextlib.suppress(pynvml.NVMLError):
        every = ",".join(map(str, range(pynvml.nvmlDeviceGetCount())))
        # Numbered as CUDA numbers them for this process; it too sees none after one that does not exist.
        for name in os.environ.get("CUDA_VISIBLE_DEVICES", every).split(","):
            by = pynvml.nvmlDeviceGetHandleByIndex if name.strip().isdigit() else pynvml.nvmlDeviceGetHandleByUUID
            handles.append(by(int(name) if name.strip().isdigit() else name.strip()))
    return handles


def _memory(handle: object) -> Any:
    """As nvidia-smi tells it: without what the driver keeps for itself, which older drivers count as used."""
    with contextlib.suppress(pynvml.NVMLError):
        return pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)
    return pynvml.nvmlDeviceGetMemoryInfo(handle)


def _gpu_sample(handle: object) -> GpuSample:
    # Each figure by itself: a device that cannot tell one of them tells the others.
    name, use, used, total, temperature = "gpu", None, None, None, None
    with contextlib.suppress(pynvml.NVMLError):
        name = str(pynvml.nvmlDeviceGetName(handle))
    with contextlib.suppress(pynvml.NVMLError):
        use = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
    with contextlib.suppress(pynvml.NVMLError):
        memory = _memory(handle)
        used, total = int(memory.used), int(memory.total)
    with contextlib.suppress(pynvml.NVMLError):
        temperature = int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
    return GpuSample(name, use, used, total, temperature)
