"""Standard output as JSON, one object a line."""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec


class JsonOutput:
    """The real standard output, kept for us alone; what anything else prints goes to standard error from now on."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._file = os.dup(1)
        os.dup2(2, 1)

    def write(self, line: bytes) -> None:
        """One line. Once nobody reads any more the rest is dropped, so that a run is not lost with its reader."""
        if self._file < 0:
            return
        rest = line + b"\n"
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.close(self._file)
            self._file = -1

    def close(self) -> None:
        """Give standard output back."""
        if self._file >= 0:
            sys.stdout.flush()
            os.dup2(self._file, 1)
            os.close(self._file)
            self._file = -1


def print_json(record: Any) -> None:
    """One object on one line of standard output."""
    sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
