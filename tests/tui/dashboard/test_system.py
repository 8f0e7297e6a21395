"""The machine's figures, the terminal's, and a theme by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pynvml
import pytest
from msgspec import structs

from fxtui.config import ConfigError
from fxtui.machine.meters import GpuSample, MachineSample, Meters
from fxtui.machine.probe import Probe
from fxtui.run.state import RunState
from fxtui.text.lines import Line, width_of
from fxtui.tui.terminal.driver import CountedFile, Traffic
from fxtui.tui.terminal.profile import profile_for
from fxtui.tui.terminal.theme import theme_named
from fxtui.tui.views.header import header_lines
from fxtui.tui.views.system import machine_lines, round_figures, system_panel_lines
from tests.tui.fake import START, midway

GIB = 1024**3
GPU = GpuSample("RTX", 0.71, GIB // 2, 8 * GIB, 61)
SAMPLE = MachineSample(0.38, (0.5, 0.26), 3 * GIB, 16 * GIB, 400 * 1024**2, 0.9, (GPU,), 41 * GIB)


def text_of(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_the_panel_fits_and_tells_what_is_known() -> None:
    lines = system_panel_lines(SAMPLE, 5_120_000, 1126.0, 46, 4)
    assert [width_of(line) for line in lines] == [46] * 4
    shown = text_of(lines)
    for words in ("screen 1.1 KiB/s", "38%", "3.0/16.0 GiB", "71%", "0.5/ 8.0 GiB", "cache 4.9 MiB", "41.0 GiB free"):
        assert words in shown


def test_what_is_not_measured_is_a_dash() -> None:
    shown = text_of(system_panel_lines(None, None, 0.0, 46, 4))
    assert "0%" not in shown
    assert shown.count("–") == 6


def test_the_full_figures_name_every_core_and_device() -> None:
    shown = text_of(machine_lines(SAMPLE, [SAMPLE] * 5, 118))
    assert "2 cores" in shown
    assert "  0 " in shown
    assert "61 °C" in shown
    assert "RTX" in shown


def test_sparks_end_with_the_newest() -> None:
    def cpu_line(*uses: float) -> str:
        return text_of(machine_lines(SAMPLE, [replace(SAMPLE, cpu=use) for use in uses], 60)[1:2]).rstrip()

    assert cpu_line(0.0, 0.5, 1.0, 2.0).endswith(" ▁▄██")
    # There is room for sixteen.
    assert cpu_line(*[0.0] * 100, 1.0).endswith("▁" * 15 + "█")


@pytest.mark.parametrize(("value", "shown"), [(0.0, 0), (7.0, 7), (1126.0, 1100), (987.0, 990)])
def test_rates_are_rounded_to_two_figures(value: float, shown: int) -> None:
    assert round_figures(value) == shown


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


def test_traffic_forgets_what_is_old_but_for_the_total(tmp_path: Path) -> None:
    now = 100.0
    traffic = Traffic(lambda: now)
    assert (traffic.total, traffic.per_second, traffic.latency) == (0, 0.0, None)
    with (tmp_path / "out").open("w", encoding="utf-8") as plain:
        file = CountedFile(plain, traffic)
        file.write("é")
        file.write("ab")
        assert traffic.total == 0
        file.flush()
        file.flush()
    assert (traffic.total, traffic.per_second) == (4, 1.0)
    traffic.add(100, 0.2)
    now = 104.5
    assert (traffic.total, traffic.per_second, traffic.latency) == (104, 0.0, None)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "éab"


def test_themes_by_name() -> None:
    assert [theme_named(name) for name in ("dark", "light", "16", "nord")] == [
        "fxtui-dark",
        "fxtui-light",
        "fxtui-16",
        "nord",
    ]
    with pytest.raises(ConfigError, match="--theme drak: no such theme; did you mean dark"):
        theme_named("drak")


def test_a_look_by_the_terminal() -> None:
    none = {"ascii_only": False, "low_bandwidth": False, "no_color": False}
    assert profile_for({"TERM": "dumb"}, "utf-8", **none).no_color
    assert profile_for({"TERM": "xterm"}, "latin-1", **none).ascii_only
    assert not profile_for({"NO_COLOR": ""}, "UTF-8", **none).no_color
    assert profile_for({"NO_COLOR": "0"}, "UTF-8", **none).no_color


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


@pytest.mark.parametrize(("device", "use"), [("cpu", " 38%"), ("cuda:0", " 71%"), ("cuda", " 71%"), ("cuda:1", "")])
@pytest.mark.parametrize("width", [80, 120])
def test_the_header_tells_how_busy_the_device_of_the_run_is(device: str, use: str, width: int) -> None:
    state = RunState()
    for event in midway():
        state.apply(event)
    assert state.model
    state.model = structs.replace(state.model, device=device)
    lines = header_lines(state, "main", SAMPLE, START, width, 4)
    assert [width_of(line) for line in lines] == [width] * len(lines)
    unknown = text_of(header_lines(state, "main", None, START, width, 4))
    shown = text_of(lines)
    assert shown.count("%") == unknown.count("%") + bool(use) + shown.count("ram") + shown.count("mem ")
    assert use in shown


@pytest.mark.parametrize(("device", "memory"), [("cpu", "ram  19%"), ("cuda:0", "mem   6%"), ("cuda:1", "")])
def test_where_there_is_room_the_header_tells_how_full_the_device_of_the_run_is(device: str, memory: str) -> None:
    state = RunState()
    for event in midway():
        state.apply(event)
    assert state.model
    state.model = structs.replace(state.model, device=device)
    lines = header_lines(state, "main", SAMPLE, START, 200, 4)
    assert [width_of(line) for line in lines] == [200] * 4
    first = text_of(lines[:1])
    assert memory in first
    assert ("ram" in first or "mem" in first) == bool(memory)
