"""What stands in for a machine and its figures where a test needs them."""

from __future__ import annotations

from fxtui.machine.samples import GpuSample, MachineSample
from fxtui.text.lines import Line

GIB = 1024**3
GPU = GpuSample("RTX", 0.71, GIB // 2, 8 * GIB, 61)
SAMPLE = MachineSample(0.38, (0.5, 0.26), 3 * GIB, 16 * GIB, 400 * 1024**2, 0.9, (GPU,), 41 * GIB)


def text_of(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)
