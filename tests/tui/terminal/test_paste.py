"""Letters that come all at once are no keys."""

from __future__ import annotations

import pytest
from textual.events import Key, Paste

from fxtui.protocol.commands import Predict
from fxtui.tui.dashboard.app import DashboardApp
from fxtui.tui.terminal.textual_internals import linux_driver, looks_pasted
from tests.tui.dashboard.watched import settle
from tests.tui.fake import START, FakeSession, midway


@pytest.mark.parametrize("data", ["cd /data/run", "fusz", "übung\r\n"])
def test_many_letters_at_once_are_a_paste(data: str) -> None:
    assert looks_pasted(data)


@pytest.mark.parametrize(
    "data", ["", "u", "uuuuuuuu", "fz", "1234567", "\x1b[<35;12;40M", "\x1b[200~fuszq\x1b[201~", "zfz"]
)
def test_keys_and_what_the_terminal_says_are_not(data: str) -> None:
    assert not looks_pasted(data)


def test_the_driver_reads_them_as_one() -> None:
    parser = getattr(linux_driver, "XTermParser")()  # noqa: B009  # it is not exported
    (pasted,) = parser.feed("unfreeze")
    assert isinstance(pasted, Paste)
    assert pasted.text == "unfreeze"
    assert [event.key for event in parser.feed("uz") if isinstance(event, Key)] == ["u", "z"]


async def test_a_paste_sends_nothing_and_says_what_was_ignored() -> None:
    session = FakeSession(midway())
    app = DashboardApp(session, clock=lambda: START + 70)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        app.post_message(Paste("us\x1b[2Jq"))
        await settle(app, pilot)
        assert [command for command in session.sent if not isinstance(command, Predict)] == []
        assert any(notice.message == "ignored, as it was pasted: us [2Jq" for notice in app._notifications)


async def test_a_field_takes_it() -> None:
    session = FakeSession(midway())
    app = DashboardApp(session, clock=lambda: START + 70)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        await pilot.press("l", "ctrl+u")
        app.post_message(Paste("[/]rate"))
        await pilot.press("enter")
        await settle(app, pilot)
        # What was typed is shown as it is, and ends nothing.
        assert "[/]rate: expected a number above 0" in str(app.screen.query_one("#hint").render())
