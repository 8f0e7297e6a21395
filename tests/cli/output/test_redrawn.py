"""Lines written again in place: what a terminal shows afterwards, and that only what differs is sent."""

from __future__ import annotations

import re

import pytest

from fxtui.cli.output import redrawn
from fxtui.cli.output.redrawn import Redrawn, redrawing

_SENT = re.compile(r"\x1b\[(\d*)([ABJK])|([^\x1b])")


def shown(sent: str) -> list[str]:
    """What stands in an endless terminal to which this was sent."""
    rows, y, x = [""], 0, 0
    for count, command, letter in _SENT.findall(sent):
        if command == "A":
            y -= int(count)
            assert y >= 0
        elif command == "B":
            y = min(y + int(count), len(rows) - 1)
        elif command == "K":
            rows[y] = rows[y][:x]
        elif command == "J":
            rows[y] = rows[y][:x]
            del rows[y + 1 :]
        elif letter == "\r":
            x = 0
        elif letter == "\n":
            y, x = y + 1, 0
            rows += [""] * (y + 1 - len(rows))
        else:
            rows[y] = rows[y][:x].ljust(x) + letter + rows[y][x + 1 :]
            x += 1
    assert (y, x) == (len(rows) - 1, 0)
    return rows[:-1]


@pytest.mark.parametrize(
    "after",
    [["name", "a 1", "b 2"], ["name", "a 1", "b 3"], ["name", "a 10", "b 2", "c"], ["name", "b 2"], ["none"], []],
)
def test_the_terminal_shows_what_it_should(after: list[str]) -> None:
    before = ["name", "a 1", "b 2"]
    assert shown(redrawing([], before) + redrawing(before, after)) == after


def test_only_what_differs_is_sent() -> None:
    before, after = ["name", "a 1", "b 2"], ["name", "a 1", "b 3"]
    assert redrawing(before, before) == ""
    sent = redrawing(before, after)
    assert "b 3" in sent
    assert "name" not in sent
    assert "a 1" not in sent


def test_what_there_is_no_room_for_is_left_out_in_the_middle(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redrawn.shutil, "get_terminal_size", lambda: (10, 5))
    Redrawn().show(["name", "1", "2", "3", "4", "5 and a long end"])
    assert shown(capsys.readouterr().out) == ["name", "3", "4", "5 and a l…"]
