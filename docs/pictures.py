"""Draws the pictures of the README: the demo, with a layer thawed on the way, screen by screen.

python docs/pictures.py
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from fxtui.cli.sessions import new_session
from fxtui.config import bundled_config, load_config
from fxtui.protocol.commands import Estimate, UnfreezeNext
from fxtui.tui.dashboard.app import DashboardApp
from fxtui.tui.terminal.theme import DARK, LIGHT

DOCS = Path(__file__).parent
SCREENS = {"main": "1", "layers": "2", "predict": "3", "confusion": "4", "runs": "5"}


async def draw(runs: Path) -> None:
    """One run, looked at while it trains."""
    session = new_session(load_config(bundled_config("demo"), ["train.epochs=24"]), runs)
    app = DashboardApp(session, theme=DARK.name, on_ready=session.start)
    async with app.run_test(size=(120, 40)) as pilot:

        async def until(epochs: int) -> None:
            while len(app.state.epochs) < epochs and not app.state.ended:
                await pilot.pause(0.05)

        await until(5)
        session.send(UnfreezeNext())
        await until(12)
        session.send(Estimate(change=UnfreezeNext()))
        await until(16)
        for name, key in SCREENS.items():
            await pilot.press(key)
            await pilot.pause(2.5)
            app.save_screenshot(str(DOCS / f"{name}-120x40.svg"))
        await pilot.press("1")
        app.theme = LIGHT.name
        await pilot.pause(1)
        app.save_screenshot(str(DOCS / "main-light-120x40.svg"))
        while not app.state.ended:
            await pilot.pause(0.1)
    session.join()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(draw(Path(scratch)))
