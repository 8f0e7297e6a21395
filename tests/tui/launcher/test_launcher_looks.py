"""Pictures of the launcher and its form: at three sizes, light, in ASCII and without colour."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from fxtui.run.nearby import look_around
from fxtui.run.preview import Preview
from fxtui.tui.launcher import home_screen
from fxtui.tui.launcher.app import LauncherApp
from fxtui.tui.launcher.form_screen import FormHelp, FormScreen
from fxtui.tui.terminal.profile import TerminalProfile
from tests.tui.fake import START
from tests.tui.runs import some_runs

KNOWN = Preview(
    device="cuda:0",
    devices=("cpu", "cuda:0"),
    images=1000,
    classes=10,
    train=800,
    val=200,
    presized=True,
    size=64,
    features=512,
    frontier=((512,),),
    parameters=11_181_642,
    trainable_parameters=5130,
    optimizer_bytes=41_048,
    gradient_bytes=20_520,
    activation_bytes=132_000,
    cache_bytes=1_024_000,
    cache_is_exact=False,
    epoch_seconds=0.032,
    extract_seconds=1.2,
    epoch_batches=25,
    weights="download",
)
SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 60)
LOOKS: list[tuple[str, str, tuple[int, int], dict[str, Any]]] = [
    *((f"{name}-{s[0]}x{s[1]}", name, s, {}) for name in ("launch", "form") for s in (SMALL, MIDDLE, LARGE)),
    ("form-light", "form", MIDDLE, {"theme": "fxtui-light"}),
    ("launch-ascii", "launch", MIDDLE, {"profile": TerminalProfile(ascii_only=True)}),
    ("form-no-color", "form", MIDDLE, {"profile": TerminalProfile(no_color=True)}),
]


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder with some runs and images, the same to the hour in every test."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(home_screen, "_short", lambda _path: Path("~/digits"))
    monkeypatch.setattr(home_screen, "__version__", "1.2.3")
    some_runs(Path())
    for kind in ("ants", "bees"):
        for number in range(3):
            image = Path("insects", kind, f"{number}.jpg")
            image.parent.mkdir(parents=True, exist_ok=True)
            image.touch()


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize(("name", "screen", "size", "options"), LOOKS, ids=[it[0] for it in LOOKS])
def test_look(snap_compare: Any, name: str, screen: str, size: tuple[int, int], options: dict[str, Any]) -> None:
    help = FormHelp(lambda _config: KNOWN, lambda: ("resnet18", "vgg11"), 0.0)
    app = LauncherApp(
        lambda: look_around(Path(), Path("runs")), help, clock=lambda: START + 70, **{"theme": "fxtui-dark", **options}
    )

    async def before(pilot: Pilot[Any]) -> None:
        while app.screen_stack[-1].query("#choices").first().size.height == 0 or not app._list.folders:
            await pilot.pause(0.02)
        if screen == "form":
            await pilot.press("n")
            while not isinstance(app.screen, FormScreen) or app.screen._busy or app.screen._preview is None:
                await pilot.pause(0.02)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before), name
