"""A dashboard over a session without an engine, and what it shows."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from fxtui.protocol import events as ev
from fxtui.tui.dashboard.app import DashboardApp
from fxtui.tui.widgets.line_view import LineView
from tests.tui.fake import START, FakeSession


def made(events: list[ev.Event], **options: Any) -> tuple[DashboardApp, FakeSession]:
    session = FakeSession(events)
    return DashboardApp(session, clock=lambda: START + 70, **options), session


async def settle(app: DashboardApp, pilot: Pilot[int]) -> None:
    app.drain()
    await pilot.pause()
    await pilot.pause()


def text_of(app: DashboardApp, name: str) -> str:
    widget = app.screen.query_one(f"#{name}", LineView)
    return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))
