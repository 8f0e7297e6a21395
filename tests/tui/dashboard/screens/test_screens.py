"""The screens beside the main one: their keys, the mouse, what they ask of the engine, and what they say."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.catalogue import Catalogue, RunEntry
from fxtui.run.store import RunDirectory, RunLock
from fxtui.tui.dashboard.actions import ACTIONS, SCREENS, actions_on
from fxtui.tui.dashboard.app import DashboardApp
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.dashboard.screens.dialogs import ConfirmDialog, HelpDialog
from fxtui.tui.terminal.profile import TerminalProfile
from fxtui.tui.widgets.line_view import LineView
from fxtui.tui.widgets.panels.plot import PlotPanel
from tests.run.samples import prediction
from tests.tui.dashboard.watched import made, settle, text_of
from tests.tui.fake import START, FakeSession, evaluation, looked_at, midway
from tests.tui.runs import some_runs


async def opened(app: DashboardApp, pilot: Pilot[int], key: str) -> RunScreen:
    await settle(app, pilot)
    await pilot.press(key)
    await settle(app, pilot)
    await settle(app, pilot)
    screen = app.screen
    assert isinstance(screen, RunScreen)
    return screen


async def until(pilot: Pilot[int], true: Callable[[], bool]) -> None:
    """Wait for something to become true; the test's own time limit ends a wait in vain."""
    while not true():
        await pilot.pause(0.02)


def sent(session: FakeSession, kind: type[cmd.Command]) -> list[cmd.Command]:
    return [command for command in session.sent if isinstance(command, kind)]


async def test_number_keys_and_clicks_on_the_names_open_the_screens() -> None:
    app, _ = made(looked_at())
    async with app.run_test(size=(120, 40)) as pilot:
        for number, name in enumerate(SCREENS, 1):
            screen = await opened(app, pilot, str(number))
            assert name == screen.NAME
            assert f"{number} {SCREENS[name]}" in text_of(app, "header")
        line = text_of(app, "header").splitlines()[0]
        await pilot.click("#header", offset=(line.index("Layers"), 0))
        await settle(app, pilot)
        assert isinstance(app.screen, RunScreen)
        assert app.screen.NAME == "layers"


@pytest.mark.parametrize("name", list(SCREENS))
async def test_help_lists_what_works_on_each_screen(name: str) -> None:
    app, _ = made(looked_at())
    async with app.run_test(size=(120, 60)) as pilot:
        await opened(app, pilot, str(list(SCREENS).index(name) + 1))
        await pilot.press("?")
        await pilot.pause()
        assert isinstance(app.screen, HelpDialog)
        shown = "\n".join(str(widget.render()) for widget in app.screen.query("Static"))
        for action in actions_on(name):
            assert action.text in shown
        for action in ACTIONS:
            if action.screens and name not in action.screens:
                assert action.text not in shown


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("space", cmd.SetTrainable(paths=("features.7",), value=True)),
        ("o", cmd.SetTrainable(paths=("features.7",), value=True, only=True)),
        ("b", cmd.SetTrainable(paths=("*.bias",), value=True, only=True)),
        ("w", cmd.Estimate(change=cmd.SetTrainable(paths=("features.7",), value=True))),
        ("u", cmd.UnfreezeNext()),
        ("z", cmd.Undo()),
        ("p", cmd.TogglePause()),
    ],
)
async def test_the_layers_screen_acts(key: str, command: cmd.Command) -> None:
    app, session = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "2")
        await pilot.press(key)
        await pilot.pause()
        assert session.sent == [command]


async def test_only_norms_names_the_normalisation_layers() -> None:
    app, session = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "2")
        await pilot.press("n")
        await pilot.pause()
        assert session.sent == []
        rows = [row for row in app.state.layers if not row.is_head]
        app.state.layers[1] = ev.LayerRow(**{**_fields(rows[1]), "kind": "BatchNorm2d"})
        await pilot.press("n")
        await pilot.pause()
        assert session.sent == [cmd.SetTrainable(paths=(rows[1].path,), value=True, only=True)]


def _fields(row: ev.LayerRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


async def test_layers_are_found_by_a_part_of_their_name() -> None:
    app, _ = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "2")
        await pilot.press("/", *"7.0")
        await settle(app, pilot)
        shown = text_of(app, "layers")
        assert "features.7.0.1" in shown
        assert "features.6" not in shown
        await pilot.press("enter", "escape")
        await settle(app, pilot)
        assert "features.6" in text_of(app, "layers")


async def test_the_price_stands_beside_the_tree_now_and_after() -> None:
    app, _ = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "2")
        shown = text_of(app, "what-if")
        assert "features.7 trained" in shown
        assert "425k" in shown
        assert "1.12M" in shown
        assert "≈3.1 s" in shown


async def test_the_map_of_updates_has_a_digit_for_each_epoch_measured() -> None:
    app, _ = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "2")
        row = next(line for line in text_of(app, "heat").splitlines() if line.startswith("features.8"))
        assert row.split()[1:] == ["·", "·", "·", "·", "4", "4", "4", "5", "5"]


async def test_predict_asks_for_the_evaluation_and_for_the_worst_image_and_shows_its_trace() -> None:
    app, session = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "3")
        assert sent(session, cmd.Evaluate) == [cmd.Evaluate(limit=1000)]
        session.say(evaluation())
        await settle(app, pilot)
        assert sent(session, cmd.Predict) == [cmd.Predict(images=(0,))]
        session.say(prediction(9, number=0))
        await settle(app, pilot)
        assert "✗ predicted 1, true 8" in text_of(app, "trace")
        await pilot.press("down")
        await settle(app, pilot)
        assert sent(session, cmd.Predict)[-1] == cmd.Predict(images=(1,))
        assert "val #1: asked for" in text_of(app, "trace")


async def test_a_file_of_any_path_can_be_predicted() -> None:
    app, session = made(looked_at())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "3")
        await pilot.press("o", *"cat.png", "enter")
        await settle(app, pilot)
        assert sent(session, cmd.Predict)[-1] == cmd.Predict(images=("cat.png",))


async def test_enter_on_a_confused_pair_shows_its_images() -> None:
    app, _ = made(looked_at())
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, "4")
        assert "8 → 1" in text_of(app, "pairs")
        assert "85.0%" in text_of(app, "classes")
        await pilot.press("enter")
        await settle(app, pilot)
        await settle(app, pilot)
        assert app.screen is not screen
        shown = text_of(app, "images")
        assert "8 taken for 1" in shown
        assert shown.count("✗") == 3
        assert "✓" not in shown
        await pilot.press("a")
        await settle(app, pilot)
        assert "✓" in text_of(app, "images")


async def test_shares_are_those_of_the_true_class() -> None:
    app, _ = made(looked_at())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "4")
        await pilot.press("n")
        await settle(app, pilot)
        row = next(line for line in text_of(app, "matrix").splitlines() if line.startswith("8 "))
        assert row.split() == ["8", "·", "15%", "·", "·", "·", "·", "·", "·", "85%", "·", "85.0%"]


async def test_the_log_is_searched_and_followed() -> None:
    app, session = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "6")
        session.say(ev.Output(text="a line that was printed"))
        await settle(app, pilot)
        assert "a line that was printed" in text_of(app, "whole-log")
        await pilot.press("/", *"PRINTED", "enter")
        await settle(app, pilot)
        assert "1 of " in text_of(app, "whole-log")
        assert "epoch 9" not in text_of(app, "whole-log")


async def made_with_runs(tmp_path: Path) -> tuple[DashboardApp, FakeSession]:
    some_runs(tmp_path)
    session = FakeSession(looked_at(), tmp_path / "runs")
    return DashboardApp(session, clock=lambda: START + 70, profile=TerminalProfile()), session


async def test_runs_are_listed_marked_and_compared(tmp_path: Path) -> None:
    app, _ = await made_with_runs(tmp_path)
    async with app.run_test(size=(160, 45)) as pilot:
        await opened(app, pilot, "5")
        await until(pilot, lambda: "finished" in text_of(app, "runs"))
        for status in ("running", "interrupted", "failed", "stopped", "finished"):
            assert status in text_of(app, "runs")
        await pilot.press("end", "space", "up", "space")
        await settle(app, pilot)
        assert "▪1" in text_of(app, "runs")
        assert next(line for line in text_of(app, "compare").splitlines() if "train.lr" in line).split() == [
            "train.lr",
            "0.003",
            "0.001",
        ]
        assert "features.8 trains" in text_of(app, "history")
        await pilot.press("o", "1")
        await settle(app, pilot)
        plots = [app.screen.query_one(f"#{name}", PlotPanel) for name in ("loss", "accuracy")]
        assert [[run.label for run in plot.overlays] for plot in plots] == [["first", "second"]] * 2


async def test_a_run_is_removed_only_after_a_question_and_never_while_it_runs(tmp_path: Path) -> None:
    app, session = await made_with_runs(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "5")
        await until(pilot, lambda: "finished" in text_of(app, "runs"))
        await pilot.press("delete")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        await pilot.press("end", "delete")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("escape")
        path = next(path for path in (tmp_path / "runs").iterdir() if path.name.endswith("-first"))
        assert path.is_dir()
        await pilot.press("delete")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: not path.exists())
        await until(pilot, lambda: "finished" not in text_of(app, "runs"))
    assert sent(session, cmd.Stop) == []


async def test_a_run_that_another_process_has_begun_to_write_is_not_removed(tmp_path: Path) -> None:
    app, _ = await made_with_runs(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "5")
        await until(pilot, lambda: "finished" in text_of(app, "runs"))
        path = next(path for path in (tmp_path / "runs").iterdir() if path.name.endswith("-first"))
        lock = RunLock(RunDirectory(path))
        await pilot.press("end", "delete")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: any("so it stays" in note.message for note in app._notifications))
        lock.release()
        assert (path / "events.jsonl").is_file()


async def test_what_stands_below_the_runs_takes_turns_where_it_is_narrow(tmp_path: Path) -> None:
    app, _ = await made_with_runs(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, "5")
        await until(pilot, lambda: "finished" in text_of(app, "runs"))
        await pilot.press("space", "down", "space")
        turns = (("compare", "best val"), ("overlay", "epoch"), ("history", "What was done"), ("compare", ""))
        for panel, text in turns:
            await settle(app, pilot)
            shown = [name for name in ("compare", "overlay", "history") if app.screen.query_one(f"#{name}").display]
            assert shown == [panel]
            assert text in text_of(app, panel)
            await pilot.press("v")
        await pilot.resize_terminal(120, 40)
        await settle(app, pilot)
        await pilot.press("v")
        assert any("in sight already" in note.message for note in app._notifications)


async def test_runs_are_sorted_by_start_best_and_time(tmp_path: Path) -> None:
    app, _ = await made_with_runs(tmp_path)
    names = ("fourth", "third", "second", "first")

    def order() -> list[str]:
        rows = text_of(app, "runs").splitlines()[2:]
        return [name for row in rows for name in names if f" {name} " in row]

    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "5")
        await until(pilot, lambda: "finished" in text_of(app, "runs"))
        assert order() == list(names)
        await pilot.press("t")
        await settle(app, pilot)
        assert "best first" in text_of(app, "runs")
        assert order() == ["second", "first", "fourth", "third"]
        await pilot.press("t", "t")
        await settle(app, pilot)
        assert order() == list(names)


async def test_the_runs_are_never_read_by_two_threads_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, inside, most = threading.Event(), [0], [0]

    def slow(_catalogue: Catalogue) -> list[RunEntry]:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        go.wait()
        inside[0] -= 1
        return []

    monkeypatch.setattr(Catalogue, "entries", slow)
    monkeypatch.setattr("fxtui.tui.dashboard.screens.runs._READ_SECONDS", 0.05)
    app, _ = await made_with_runs(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        try:
            await opened(app, pilot, "5")
            await until(pilot, lambda: inside[0] > 0)
            for _ in range(5):
                app.drain()
                await pilot.pause(0.06)
        finally:
            go.set()
    assert most == [1]


async def test_a_folder_of_runs_that_cannot_be_read_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = [0]

    def refused(_catalogue: Catalogue) -> list[RunEntry]:
        tries[0] += 1
        raise PermissionError(errno.EACCES, "Permission denied", "runs")

    monkeypatch.setattr(Catalogue, "entries", refused)
    monkeypatch.setattr("fxtui.tui.dashboard.screens.runs._READ_SECONDS", 0.05)
    app, _ = await made_with_runs(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, "5")
        while tries[0] < 4:
            app.drain()
            await pilot.pause(0.02)
        await until(pilot, lambda: len(app._notifications) > 0)
        await settle(app, pilot)
        assert [note.message for note in app._notifications] == ["runs: cannot be read: Permission denied"]
        assert "running" in text_of(app, "runs")


@pytest.mark.parametrize("name", list(SCREENS))
async def test_every_line_has_a_twin_in_ascii(name: str) -> None:
    app, _ = made(looked_at(), profile=TerminalProfile(ascii_only=True))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, str(list(SCREENS).index(name) + 1))
        for widget in app.screen.query(LineView):
            for y in range(widget.size.height):
                assert widget.render_line(y).text.isascii(), widget.render_line(y).text
