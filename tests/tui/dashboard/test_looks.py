"""Pictures of every screen, at three sizes, in both themes, in ASCII and without colour."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from fxtui.machine.samples import GpuSample, MachineSample
from fxtui.tui.dashboard.actions import SCREENS
from fxtui.tui.dashboard.app import DashboardApp
from fxtui.tui.terminal.profile import TerminalProfile
from fxtui.tui.terminal.traffic import TerminalUse
from fxtui.tui.widgets.panels import system as system_panels
from tests.tui.dashboard.watched import settle, text_of
from tests.tui.fake import START, FakeSession, beginning, finished, holding, looked_at
from tests.tui.runs import some_runs

SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 60)
GIB = 2**30
SAMPLE = MachineSample(
    cpu=0.38,
    cores=(0.5, 0.26),
    ram_used=3 * GIB,
    ram_total=16 * GIB,
    process_memory=GIB,
    process_cpu=1.2,
    gpus=(GpuSample("NVIDIA GeForce RTX 4090", 0.71, 3 * GIB, 24 * GIB, 61),),
    disk_free=41 * GIB,
)


class StillMachine:
    """A machine whose figures do not move."""

    def latest(self) -> MachineSample:
        return SAMPLE

    def history(self) -> list[MachineSample]:
        return [SAMPLE] * 5

    def close(self) -> None:
        """There is nothing to close."""


LOOKS: list[tuple[str, str, tuple[int, int], dict[str, Any]]] = [
    *((f"{name}-{size[0]}x{size[1]}", name, size, {}) for name in SCREENS for size in (SMALL, MIDDLE, LARGE)),
    ("main-light", "main", MIDDLE, {"theme": "fxtui-light"}),
    ("layers-light", "layers", MIDDLE, {"theme": "fxtui-light"}),
    ("main-16", "main", MIDDLE, {"theme": "fxtui-16"}),
    ("main-ascii", "main", MIDDLE, {"profile": TerminalProfile(ascii_only=True)}),
    ("predict-ascii", "predict", SMALL, {"profile": TerminalProfile(ascii_only=True)}),
    ("main-no-color", "main", MIDDLE, {"profile": TerminalProfile(no_color=True)}),
    ("predict-no-color", "predict", MIDDLE, {"profile": TerminalProfile(no_color=True)}),
]


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A place with some runs, in which neither hour, machine nor versions differ from one test to another."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(system_panels, "_version", lambda _name: "1.2.3")
    monkeypatch.setattr("platform.python_version", lambda: "3.11.0")
    monkeypatch.chdir(tmp_path)
    some_runs(Path())
    return Path("runs")


@pytest.mark.parametrize(("name", "screen", "size", "options"), LOOKS, ids=[it[0] for it in LOOKS])
def test_look(
    snap_compare: Any,
    monkeypatch: pytest.MonkeyPatch,
    still: Path,
    name: str,
    screen: str,
    size: tuple[int, int],
    options: dict[str, Any],
) -> None:
    app = DashboardApp(FakeSession(looked_at(), still), clock=lambda: START + 70, **{"theme": "fxtui-dark", **options})
    app.machine = StillMachine()  # type: ignore[assignment]
    monkeypatch.setattr(app, "terminal_use", lambda: TerminalUse(1126.0, 400_000, 0.001, 0.25, 0.006))

    async def before(pilot: Pilot[int]) -> None:
        await settle(app, pilot)
        await pilot.press(str(list(SCREENS).index(screen) + 1))
        await settle(app, pilot)
        if screen == "runs":
            while "finished" not in text_of(app, "runs"):
                await pilot.pause(0.02)
            await pilot.press("space", "down", "space", "end", "space")
        await settle(app, pilot)

    assert snap_compare(app, terminal_size=size, run_before=before), name


@pytest.mark.parametrize("name", ["beginning", "ended"])
def test_look_of_the_run(snap_compare: Any, still: Path, name: str) -> None:
    events = beginning() if name == "beginning" else [*looked_at(), finished()]
    app = DashboardApp(FakeSession(events, still), theme="fxtui-dark", clock=lambda: START + 70)
    app.machine = StillMachine()  # type: ignore[assignment]

    async def before(pilot: Pilot[int]) -> None:
        await settle(app, pilot)

    assert snap_compare(app, terminal_size=MIDDLE, run_before=before), name


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=lambda size: f"{size[0]}x{size[1]}")
def test_look_of_a_run_that_holds(snap_compare: Any, still: Path, size: tuple[int, int]) -> None:
    app = DashboardApp(FakeSession([*looked_at(), holding()], still), theme="fxtui-dark", clock=lambda: START + 70)
    app.machine = StillMachine()  # type: ignore[assignment]

    async def before(pilot: Pilot[int]) -> None:
        await settle(app, pilot)

    assert snap_compare(app, terminal_size=size, run_before=before)
