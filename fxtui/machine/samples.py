"""What is told of the machine: the figures of one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuSample:
    """One graphics processor: use as a fraction, memory in bytes, temperature in degrees Celsius; None: not told."""

    name: str
    use: float | None
    memory_used: int | None
    memory_total: int | None
    temperature: int | None


@dataclass(frozen=True, slots=True)
class MachineSample:
    """A moment of the machine: shares as fractions, sizes in bytes. ``process_cpu`` counts cores and may exceed 1."""

    cpu: float
    cores: tuple[float, ...]
    ram_used: int
    ram_total: int
    process_memory: int
    process_cpu: float
    gpus: tuple[GpuSample, ...]
    disk_free: int | None
