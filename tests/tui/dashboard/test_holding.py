"""The dashboard on a run that holds: what works, what does not and says so, and how it ends."""

from __future__ import annotations

import pytest

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.tui.dashboard.app import DashboardApp
from tests.tui.dashboard.watched import settle, text_of
from tests.tui.fake import START, FakeSession, finished, holding, looked_at


def held() -> tuple[DashboardApp, FakeSession]:
    session = FakeSession([*looked_at(), holding()])
    return DashboardApp(session, clock=lambda: START + 70), session


async def test_the_header_says_what_is_held_and_the_advice_what_could_be_done() -> None:
    app, _ = held()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        assert "◎ holding   9 of 9 epochs   best" in text_of(app, "header")
        assert "holds 22.0 MiB on cuda:0, ends after 30 min unwatched" in text_of(app, "header")
        assert "go on as it is (+)" in text_of(app, "advice")


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("u", cmd.UnfreezeNext()),
        ("+", cmd.AddEpochs(n=1)),
        ("f", cmd.FreezeAll()),
        ("c", cmd.Checkpoint()),
    ],
)
async def test_every_command_works(key: str, command: cmd.AnyCommand) -> None:
    app, session = held()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        session.sent.clear()
        await pilot.press(key)
        assert command in session.sent


@pytest.mark.parametrize(
    ("key", "reason"),
    [("p", "nothing trains"), ("s", "q ends it"), ("-", "every epoch that is planned is done")],
)
async def test_what_makes_no_sense_says_why(key: str, reason: str) -> None:
    app, session = held()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        session.sent.clear()
        await pilot.press(key)
        await pilot.pause()
        assert session.sent == []
        assert any(reason in notice.message for notice in app._notifications)


async def test_q_ends_it_without_a_question() -> None:
    app, session = held()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("q")
        assert cmd.Stop(when="now") in session.sent
        session.say(finished())
        for _ in range(100):
            await pilot.pause(0.02)
            if not app.is_running:
                break
    assert app.return_value == 0


async def test_it_goes_on() -> None:
    app, session = held()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        session.say(ev.RunResumed(epoch=10, step=225))
        await settle(app, pilot)
        assert "◎" not in text_of(app, "header")
        assert "training" in text_of(app, "header")
