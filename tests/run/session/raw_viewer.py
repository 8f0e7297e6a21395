"""A viewer that says what it likes, byte for byte, and whether a run still serves one that behaves."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.journal import read_journal
from fxtui.run.session.address import read_address
from fxtui.run.store import RunDirectory
from tests.run.session.scripted import ScriptedRun, answer_to, attached


class Raw:
    """A connection that says what it likes."""

    def __init__(self, run: RunDirectory) -> None:
        found = read_address(run)
        assert found is not None
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(found.path)
        self._rest = b""

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def line(self) -> dict[str, Any] | None:
        """The next line; None where the other end has hung up."""
        while b"\n" not in self._rest:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._rest += data
        first, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(first)
        return found

    def until(self, kind: str) -> dict[str, Any]:
        while (found := self.line()) is not None:
            if found["type"] == kind:
                return found
        raise AssertionError(f"no {kind}")

    def is_closed(self) -> bool:
        while self.line() is not None:
            pass
        return True


def serves(running: ScriptedRun) -> None:
    """A proper viewer is answered, and the run's journal is whole."""
    with attached(running.run) as viewer:
        assert isinstance(answer_to(viewer, cmd.Pause()), ev.CommandDone)
    numbers = [event.seq for event in read_journal(running.run.journal)]
    assert numbers == list(range(len(numbers)))
    assert running.session.alive
