"""The advice line and the key line."""

from __future__ import annotations

from fxtui.run.state import RunState
from fxtui.text.lines import Line, Piece, fit, spread, width_of
from fxtui.tui.dashboard.actions import LAST, Action, actions_on

_PALETTE = Action("palette", "ctrl+p", "^p", "palette", "command palette")
_GAP = "  "


def advice_line(text: str, key: str, width: int) -> Line:
    """The advice, with the key that carries it out."""
    if not text:
        return fit((("", ""),), width)
    room = width - (len(key) + 6 if key else 3)
    shown = text if len(text) <= room else text[: max(0, room - 1)] + "…"
    suffix: Line = ((f" ({key})", "key"),) if key and f"({key})" not in shown else ()
    return fit(((" ▸ ", "warn"), (shown, ""), *suffix), width)


def key_line(state: RunState, screen: str, hints: tuple[tuple[str, str], ...], width: int) -> Line:
    """The keys of a screen, as many as there is room for; help and quit stay. What cannot act now is dimmed.

    ``hints`` are keys that are no actions, e.g. arrows, with what they do.
    """
    known = [action for action in actions_on(screen) if action.in_line]
    start = [_pieces(action, state) for action in known if action.id not in LAST]
    start += [((key, "key"), (f" {text}{_GAP}", "")) for key, text in hints]
    end = [_pieces(action, state) for action in (*known, _PALETTE) if action.id in LAST]
    end.sort(key=lambda pieces: ("?", "^p", "q").index(pieces[0][0]))

    def size(entries: list[tuple[Piece, ...]]) -> int:
        return sum(width_of(entry) for entry in entries)

    if size(start) + size(end) > width - 1:
        end = [entry for entry in end if entry[0][0] != "^p"]
    while start and size(start) + size(end) > width - 1:
        start.pop()
    return spread(((" ", ""), *(p for entry in start for p in entry)), tuple(p for entry in end for p in entry), width)


def key_at(line: Line, x: int) -> str:
    """The key whose entry in a key line is at this cell, or nothing."""
    at, found = 0, ""
    for text, role in line:
        if role in ("key", "muted") and text.strip():
            found = text.strip()
        at += len(text)
        if x < at:
            return found if text.strip() else ""
    return ""


def _pieces(action: Action, state: RunState) -> tuple[Piece, ...]:
    able = not action.refuse(state)
    short = "go on" if action.id == "pause" and state.phase == "paused" else action.short
    return (action.shown, "key" if able else "muted"), (f" {short}{_GAP}", "" if able else "dim")
