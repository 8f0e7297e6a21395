"""The dashboard on a real run: the demo to its end, a layer thawed on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from fxtui.config import bundled_config, load_config
from fxtui.engine.job import run_job
from fxtui.protocol.commands import SetEpochs
from fxtui.run.session.local import LocalSession
from fxtui.run.store import RunStore
from fxtui.tui.dashboard.app import DashboardApp
from fxtui.tui.widgets.layer_tree import LayerTree
from tests.tui.dashboard.watched import text_of


async def until(pilot: Pilot[int], true: Callable[[], bool]) -> None:
    """Wait for something to become true; the test's own time limit ends a wait in vain."""
    while not true():
        await pilot.pause(0.05)


def row(app: DashboardApp, path: str) -> str:
    return next(line for line in text_of(app, "layers").splitlines() if f" {path} " in line)


async def test_the_demo_runs_to_its_end_and_a_layer_thaws_on_the_way(tmp_path: Path) -> None:
    config = load_config(bundled_config("demo"), ["device=cpu", "data.limit=300", "train.epochs=100000"])
    session = LocalSession(RunStore(tmp_path).create(config), lambda link: run_job(config, link))
    app = DashboardApp(session, on_ready=session.start)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: bool(app.state.epochs))
        assert row(app, "features.8 ▸").startswith(" ○ ")
        selected = app.screen.query_one(LayerTree).selected
        assert selected is not None
        assert selected.path == "features.8"
        await pilot.press("space")
        await until(pilot, lambda: any(mark.kind == "freeze" for mark in app.state.marks))
        await until(pilot, lambda: row(app, "features.8 ▸").startswith(" ● "))
        assert "425k of 3.38M" in text_of(app, "layers")
        app.drain()
        session.send(SetEpochs(epochs=len(app.state.epochs) + 20))
        await until(pilot, lambda: app.state.ended)
        await until(pilot, lambda: "finished" in text_of(app, "header"))
        assert len(app.state.epochs) == app.state.epochs_planned
        await pilot.press("q")
        await until(pilot, lambda: not session.alive)
    assert app.return_value == 0
    assert session.run.load_state() == app.state
