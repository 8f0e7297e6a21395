"""What the terminal cannot do without, by what it says of itself."""

from __future__ import annotations

from fxtui.tui.terminal.profile import profile_for


def test_a_profile_by_the_terminal() -> None:
    none = {"ascii_only": False, "low_bandwidth": False, "no_color": False}
    assert profile_for({"TERM": "dumb"}, "utf-8", **none).no_color
    assert profile_for({"TERM": "xterm"}, "latin-1", **none).ascii_only
    assert not profile_for({"NO_COLOR": ""}, "UTF-8", **none).no_color
    assert profile_for({"NO_COLOR": "0"}, "UTF-8", **none).no_color
