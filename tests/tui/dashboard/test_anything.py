"""Whatever is pressed, clicked or resized while a run trains: nothing is raised, and the screen stays usable."""

from __future__ import annotations

import contextlib
import math
import random
from pathlib import Path

import pytest
from textual.errors import NoWidget
from textual.pilot import OutOfBounds, Pilot

from fxtui.config import bundled_config, load_config
from fxtui.engine.job import run_job
from fxtui.protocol.commands import Stop
from fxtui.run.session.local import LocalSession
from fxtui.run.store import RunStore
from fxtui.tui.dashboard.app import DashboardApp
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.widgets.layer_tree import LayerTree
from tests.tui.dashboard.watched import text_of
from tests.tui.runs import some_runs

# All that is bound, and some that is not. `d` and `ctrl+q`, `s` in a dialog end what is to be tried.
KEYS = [
    *"1234567", *"uzfwonbylxep[]cat/?+-=", "space", "up", "down", "left", "right", "tab", "shift+tab", "home", "end",
    "pageup", "pagedown", "enter", "escape", "escape", "f2", "ctrl+p", "delete", "q", "5", "7", "%", "ö",
]  # fmt: skip


def training(directory: Path) -> LocalSession:
    some_runs(directory)
    settings = ["device=cpu", "data.limit=120", "train.epochs=1000000", "data.image_size=32", "train.batch_size=16"]
    config = load_config(bundled_config("demo"), settings)
    return LocalSession(RunStore(directory / "runs").create(config), lambda link: run_job(config, link))


@pytest.fixture(autouse=True)
def typed_while_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a key the pilot waits, up to two seconds, for a process that does nothing: one that trains never does."""
    monkeypatch.setattr("textual._wait.SLEEP_IDLE", math.inf)
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.005)


async def press_on(
    pilot: Pilot[int], app: DashboardApp, generator: random.Random, deeds: list[str], between: int
) -> list[str]:
    """Keys, clicks and resizes in this order; those that are left when the dashboard is, or when the run ends."""
    for number, deed in enumerate(deeds):
        if has_left(app) or app.state.ended:
            return deeds[number:]
        if deed == "resize":
            await pilot.resize_terminal(generator.randint(20, 250), generator.randint(5, 80))
        elif generator.random() < 0.1:
            width, height = app.size
            # A resize may just have taken the place away.
            with contextlib.suppress(OutOfBounds, NoWidget):
                await pilot.click(offset=(generator.randrange(width), generator.randrange(height)))
        else:
            await pilot.press(generator.choice(KEYS))
            # What ends the run or leaves is asked first; the answer is no, mostly.
            if len(app.screen_stack) > 1 and generator.random() < 0.5:
                await pilot.press("escape")
        if number % between == between - 1 and not has_left(app):
            await usable(pilot, app)
    return []


def has_left(app: DashboardApp) -> bool:
    """Whether the dashboard was closed: a click or the palette can do so, without losing anything."""
    return app.return_code is not None


async def usable(pilot: Pilot[int], app: DashboardApp) -> None:
    """Back on the main screen of an ordinary size, it shows the run, and keys work."""
    await pilot.resize_terminal(120, 40)
    while not isinstance(app.screen, RunScreen):
        await pilot.press("escape")
        await pilot.pause()
    await pilot.press("escape", "1")
    for _ in range(3):
        app.drain()
        await pilot.pause()
    assert isinstance(app.screen, RunScreen)
    assert app.screen.NAME == "main", (app.screen.NAME, app.focused, app.screen_stack)
    assert "fxtui" in text_of(app, "header")
    under_cursor = app.screen.query_one(LayerTree).selected
    assert under_cursor is not None
    assert under_cursor.path.rpartition(".")[2] in text_of(app, "layers")
    assert "quit" in text_of(app, "keys")


async def tried(directory: Path, seed: int, count: int, resizes: int, between: int) -> None:
    """So many keys and clicks, and so many resizes, in any order, each while a run trains: a new one where it ends."""
    generator = random.Random(seed)
    deeds = ["keys"] * count + ["resize"] * resizes
    generator.shuffle(deeds)
    number = 0
    while deeds:
        number += 1
        session = training(directory / str(number))
        app = DashboardApp(session, on_ready=session.start)
        try:
            async with app.run_test(size=(120, 40)) as pilot:
                while not app.state.epochs:
                    await pilot.pause(0.05)
                deeds = await press_on(pilot, app, generator, deeds, between)
        finally:
            session.send(Stop(when="now"))
            session.join()
        assert app.return_code in (0, None)
        finished = session.run.load_state().finished
        assert finished is not None
        assert finished.status != "failed", finished.reason


async def test_many_random_keys_clicks_and_resizes(tmp_path: Path) -> None:
    await tried(tmp_path, seed=1, count=600, resizes=20, between=200)


@pytest.mark.slow
@pytest.mark.timeout(2000)
async def test_twenty_thousand_random_keys_and_clicks_and_two_hundred_resizes(tmp_path: Path) -> None:
    await tried(tmp_path, seed=2, count=20_000, resizes=200, between=200)
