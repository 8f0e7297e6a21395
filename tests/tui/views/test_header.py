"""What the header tells of the device of the run."""

from __future__ import annotations

import pytest
from msgspec import structs

from fxtui.run.state import RunState
from fxtui.text.lines import width_of
from fxtui.tui.dashboard.actions import TABS
from fxtui.tui.views.header import RunView, Tabs, header_lines
from tests.tui.fake import START, midway
from tests.tui.samples import SAMPLE, text_of


@pytest.mark.parametrize(("device", "use"), [("cpu", " 38%"), ("cuda:0", " 71%"), ("cuda", " 71%"), ("cuda:1", "")])
@pytest.mark.parametrize("width", [80, 120])
def test_the_header_tells_how_busy_the_device_of_the_run_is(device: str, use: str, width: int) -> None:
    state = RunState()
    for event in midway():
        state.apply(event)
    assert state.model
    state.model = structs.replace(state.model, device=device)
    lines = header_lines(state, Tabs(TABS, "main"), SAMPLE, RunView(START), width, 4)
    assert [width_of(line) for line in lines] == [width] * len(lines)
    unknown = text_of(header_lines(state, Tabs(TABS, "main"), None, RunView(START), width, 4))
    shown = text_of(lines)
    assert shown.count("%") == unknown.count("%") + bool(use) + shown.count("ram") + shown.count("mem ")
    assert use in shown


@pytest.mark.parametrize(("device", "memory"), [("cpu", "ram  19%"), ("cuda:0", "mem   6%"), ("cuda:1", "")])
def test_where_there_is_room_the_header_tells_how_full_the_device_of_the_run_is(device: str, memory: str) -> None:
    state = RunState()
    for event in midway():
        state.apply(event)
    assert state.model
    state.model = structs.replace(state.model, device=device)
    lines = header_lines(state, Tabs(TABS, "main"), SAMPLE, RunView(START), 200, 4)
    assert [width_of(line) for line in lines] == [200] * 4
    first = text_of(lines[:1])
    assert memory in first
    assert ("ram" in first or "mem" in first) == bool(memory)
