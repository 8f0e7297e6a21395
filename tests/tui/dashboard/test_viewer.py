"""A dashboard on a run whose engine is elsewhere: leaving it is nothing to the run, and what is wrong is shown."""

from __future__ import annotations

import pytest
from textual.widgets import Static

from fxtui.protocol import commands as cmd
from fxtui.run.session.session import Standing
from fxtui.tui.dashboard.screens.dialogs import QuitDialog
from tests.tui.dashboard.watched import made, settle, text_of
from tests.tui.fake import evaluation, finished, holding, midway


@pytest.mark.parametrize("holds", [False, True])
async def test_q_leaves_a_run_that_is_elsewhere_and_ends_nothing(holds: bool) -> None:
    app, session = made([*midway(), *([holding()] if holds else [])])
    session.standing = Standing(elsewhere=True, viewers=2)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("q")
    assert app.return_value == 0
    assert not any(isinstance(command, cmd.Stop) for command in session.sent)


@pytest.mark.parametrize(("viewers", "said"), [(1, None), (2, "One more watches it"), (4, "3 more watch it")])
async def test_to_end_it_asks_and_says_how_many_watch(viewers: int, said: str | None) -> None:
    app, session = made(midway())
    session.standing = Standing(elsewhere=True, viewers=viewers)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("ctrl+c")
        assert isinstance(app.screen, QuitDialog)
        others = [str(line.content) for line in app.screen.query("#others").results(Static)]
        assert len(others) == (said is not None)
        assert said is None or others[0].startswith(said)
        await pilot.press("s")
        assert session.sent == [cmd.Stop(when="now")]
        session.say(finished("stopped"))
        await settle(app, pilot)
    assert app.return_value == 0


async def test_a_held_run_that_others_watch_is_not_ended_unasked() -> None:
    app, session = made([*midway(), holding()])
    session.standing = Standing(viewers=2)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("q")
        assert isinstance(app.screen, QuitDialog)
        await pilot.press("d")
    assert app.return_value == 0
    assert not any(isinstance(command, cmd.Stop) for command in session.sent)


async def test_told_to_end_a_view_only_leaves() -> None:
    app, session = made(midway())
    session.standing = Standing(elsewhere=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        app.terminate()
        await pilot.pause()
    assert app.return_value == 130
    assert session.sent == []


async def test_what_is_wrong_with_its_process_stands_in_the_header() -> None:
    app, session = made([*midway(), holding()])
    session.standing = Standing(elsewhere=True, trouble="the run's process has died", read_only=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        header = text_of(app, "header")
        assert "! the run's process has died  read-only" in header
        # A dead process holds nothing.
        assert "holds" not in header
        session.standing = Standing(elsewhere=True)
        await settle(app, pilot)
        assert "◎ holding" in text_of(app, "header")


async def test_an_ended_run_goes_on_with_what_trains_on_and_with_nothing_else() -> None:
    app, session = made([*midway(), finished()])
    session.standing = Standing(elsewhere=True, takes_up=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        await pilot.press("p", "f")
        assert session.sent == []
        await pilot.press("plus", "u")
        assert session.sent == [cmd.AddEpochs(n=1), cmd.UnfreezeNext()]


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_the_main_screen_of_a_view_asks_nothing_of_the_model(elsewhere: bool) -> None:
    app, session = made([*midway(), evaluation()])
    session.standing = Standing(elsewhere=elsewhere)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        assert any(isinstance(command, cmd.Predict) for command in session.sent) is not elsewhere
