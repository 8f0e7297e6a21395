"""The key line: what stays where there is little room, and which key a click finds."""

from __future__ import annotations

from fxtui.text.lines import width_of
from fxtui.tui.views.footer import KeyHint, key_at, key_line

FIRST = (KeyHint("u", "unfreeze"), KeyHint("z", "undo", able=False), KeyHint("↑↓", "image"))
LAST = (KeyHint("?", "help"), KeyHint("^p", "palette", optional=True), KeyHint("q", "quit"))


def shown(width: int) -> str:
    line = key_line(FIRST, LAST, width)
    assert width_of(line) == width
    return "".join(text for text, _ in line)


def test_the_optional_key_goes_first_then_the_first_ones_from_their_end() -> None:
    assert shown(60).split() == ["u", "unfreeze", "z", "undo", "↑↓", "image", "?", "help", "^p", "palette", "q", "quit"]
    assert shown(52).split() == ["u", "unfreeze", "z", "undo", "↑↓", "image", "?", "help", "q", "quit"]
    assert shown(40).split() == ["u", "unfreeze", "z", "undo", "?", "help", "q", "quit"]
    assert shown(20).split() == ["?", "help", "q", "quit"]


def test_a_click_finds_the_key_of_a_word_but_nothing_between_the_ends() -> None:
    line = key_line(FIRST, LAST, 70)
    text = "".join(part for part, _ in line)
    for word, key in (("unfreeze", "u"), ("image", "↑↓"), ("help", "?"), ("quit", "q")):
        assert key_at(line, text.index(word)) == key
    assert key_at(line, text.index("?") - 1) == ""
    assert key_at(line, 0) == ""
    # Of a key that cannot act, too: it says why.
    assert key_at(line, text.index("z undo")) == "z"
