"""``--json``: standard output carries JSON objects and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from fxtui.cli.following.follow import follow
from fxtui.cli.output.streams import complain
from fxtui.protocol.encoding import encode
from fxtui.protocol.events import Event
from fxtui.run.session.local import LocalSession


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


def follow_as_json(open_session: Callable[[], LocalSession]) -> int:
    """Follow a run to its end, its events on standard output; returns the exit status.

    Raises:
        ConfigError: the session cannot be opened.
    """
    output = JsonOutput()
    try:

        def show(event: Event) -> None:
            output.write(encode(event))

        return follow(open_session(), show, complain)
    finally:
        output.close()


def print_json(record: Any) -> None:
    """One object on one line of standard output."""
    sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
