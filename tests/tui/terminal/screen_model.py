"""A small terminal: it understands what the renderer sends and nothing else."""

from __future__ import annotations

import re

from rich.cells import cell_len

_COMMANDS = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|([^\x1b])", re.DOTALL)
Shown = tuple[str, tuple[str, ...]]


class Model:
    """Cells with their pens; a pen is the set of parameters in force."""

    def __init__(self, width: int, height: int) -> None:
        self.cells: list[list[Shown]] = [[(" ", ())] * width for _ in range(height)]
        self._x = self._y = 0
        self._attributes: set[str] = set()
        self._fore = self._back = ""

    def feed(self, text: str) -> None:
        """Draw."""
        at = 0
        while at < len(text):
            match = _COMMANDS.match(text, at)
            assert match, f"not understood: {text[at : at + 20]!r}"
            at = match.end()
            parameters, command, character = match.groups()
            if character is not None:
                self._draw(character)
            elif command == "H":
                y, x = parameters.split(";")
                self._y, self._x = int(y) - 1, int(x) - 1
            elif command == "C":
                self._x += int(parameters or 1)
            else:
                assert command == "m"
                self._change(parameters.split(";") if parameters else ["0"])

    def _draw(self, character: str) -> None:
        size = cell_len(character)
        row = self.cells[self._y]
        if size == 0:
            before = self._x - 1 if row[self._x - 1][0] else self._x - 2
            row[before] = (row[before][0] + character, row[before][1])
            return
        pen = (*sorted(self._attributes), self._fore, self._back)
        row[self._x] = (character, pen)
        for x in range(self._x + 1, self._x + size):
            row[x] = ("", pen)
        self._x += size

    def _change(self, codes: list[str]) -> None:
        while codes:
            code = codes.pop(0)
            if code == "0":
                self._attributes.clear()
                self._fore = self._back = ""
            elif code in ("38", "48"):
                length = 4 if codes[0] == "2" else 2
                value = ";".join((code, *codes[:length]))
                del codes[:length]
                self._set(code == "38", value)
            elif code in ("39", "49"):
                self._set(code == "39", "")
            elif 30 <= int(code) <= 37 or 90 <= int(code) <= 97:
                self._set(True, code)
            elif 40 <= int(code) <= 47 or 100 <= int(code) <= 107:
                self._set(False, code)
            else:
                self._attributes.add(code)

    def _set(self, fore: bool, value: str) -> None:
        if fore:
            self._fore = value
        else:
            self._back = value
