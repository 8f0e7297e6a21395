"""What a real terminal is sent: without colour, with 16 colours, in ASCII, and at rest."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.following.real_terminal import Terminal

SGR = re.compile(rb"\x1b\[([0-9;]*)m")


class Colours:
    """What the parameters of all SGR commands in some output set."""

    def __init__(self, raw: bytes) -> None:
        self.attributes: set[int] = set()
        self.colours: set[str] = set()
        for (parameters,) in (match.groups() for match in SGR.finditer(raw)):
            codes = iter([int(code or 0) for code in parameters.split(b";")])
            for code in codes:
                if code in (38, 48):
                    kind = next(codes)
                    self.colours.add("full" if kind == 2 else "256")
                    for _ in range(3 if kind == 2 else 1):
                        next(codes)
                elif 30 <= code <= 49 or 90 <= code <= 107:
                    self.colours.add("16")
                else:
                    self.attributes.add(code)


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Terminal]]:
    opened: list[Terminal] = []

    class Mode(Terminal):
        def __init__(self, what: str = "finishes", *words: str, **environment: str) -> None:
            self.kind = environment.pop("TERM", "xterm-256color")
            for name in ("NO_COLOR", "COLORTERM"):
                monkeypatch.delenv(name, raising=False)
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            super().__init__(what, tmp_path, *words)
            opened.append(self)

        def to_the_end(self) -> bytes:
            self.wait_for(b"finished")
            time.sleep(0.3)
            self.keys(b"\x1b[B")
            self.keys(b"?")
            self.wait_for(b"quit")
            self._read()
            return self.screen

    yield Mode
    for shown in opened:
        shown.close()


def test_no_color_sends_no_colour_and_keeps_bold_and_reverse(terminal: type) -> None:
    found = Colours(terminal(NO_COLOR="1", COLORTERM="truecolor").to_the_end())
    assert found.colours == set()
    assert {1, 2, 7} <= found.attributes


def test_an_empty_no_color_means_nothing(terminal: type) -> None:
    assert Colours(terminal(NO_COLOR="", COLORTERM="truecolor").to_the_end()).colours == {"full"}


@pytest.mark.parametrize(("term", "expected"), [("xterm-256color", "256"), ("xterm-16color", "16"), ("linux", "16")])
def test_a_terminal_is_sent_the_colours_it_has(terminal: type, term: str, expected: str) -> None:
    shown = terminal(TERM=term).to_the_end()
    assert Colours(shown).colours == {expected}
    if term == "linux":
        assert shown.isascii()


def test_a_dumb_terminal_gets_neither_colour_nor_signs(terminal: type) -> None:
    shown = terminal(TERM="dumb").to_the_end()
    assert Colours(shown).colours == set()
    assert shown.isascii()


def test_the_options_do_the_same(terminal: type) -> None:
    shown = terminal("finishes", "--no-color", "--ascii", COLORTERM="truecolor").to_the_end()
    assert Colours(shown).colours == set()
    assert shown.isascii()


def test_nothing_is_sent_when_nothing_changes(terminal: type) -> None:
    shown = terminal(COLORTERM="truecolor")
    shown.wait_for(b"finished")
    # The last notice goes by itself, later where the machine is slow.
    limit, still = time.monotonic() + 30, time.monotonic()
    while time.monotonic() < min(limit, still + 6):
        before = len(shown.screen)
        shown._read()
        if len(shown.screen) != before:
            still = time.monotonic()
    assert time.monotonic() >= still + 6
    before = len(shown.screen)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        shown._read()
    assert shown.screen[before:] == b""
