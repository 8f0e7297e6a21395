"""``fxtui attach`` in a real terminal, on runs of other processes: seen, steered, left. No torch involved."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from fxtui.cli.following.attached import take_up
from fxtui.cli.main import main
from fxtui.config import ConfigError
from fxtui.protocol import commands as cmd
from fxtui.run.session.attached import AttachedSession
from fxtui.run.store import RunStore
from tests.cli.following.real_terminal import LEAVES_SCREEN, Terminal, until
from tests.cli.recorded import half, record
from tests.run.samples import opening, trained, whole_run
from tests.run.session.scripted import ScriptedRun, scripted

# A run of a moment.
SMALL = ("data.limit=75", "data.image_size=32", "train.epochs=2", "device=cpu", "train.precision=fp32")

ROOT = Path(__file__).parents[3]


class Opened(Terminal):
    """A command of fxtui in a terminal of its own."""

    def __init__(self, runs: Path, *words: str) -> None:
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            environment = {**os.environ, "TERM": self.kind, "COLUMNS": "120", "LINES": "40"}
            arguments = [sys.executable, "-m", "fxtui", *words, "--runs", str(runs)]
            os.execve(sys.executable, arguments, environment)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.screen = b""


@contextlib.contextmanager
def attach(runs: Path, *words: str) -> Iterator[Opened]:
    opened = Opened(runs, "attach", *words)
    try:
        yield opened
    finally:
        opened.close()


def steered(running: ScriptedRun) -> list[cmd.AnyCommand]:
    """What was pressed; the dashboard asks about images by itself."""
    return [command for command in running.taken if not isinstance(command, cmd.Evaluate | cmd.Predict)]


def test_two_see_a_run_and_each_is_answered(tmp_path: Path) -> None:
    with scripted(tmp_path) as running:
        running.say(*opening(), *trained(1, 0.85, best=True))
        with attach(tmp_path) as one, attach(tmp_path, "last") as other:
            for shown in (one, other):
                shown.wait_for(b"85.0%")
            until(lambda: running.session.link.viewers == 2)
            for shown in (one, other):
                shown.keys(b"c")
            for shown in (one, other):
                shown.wait_for(b"checkpoint done")
            running.say(*trained(2, 0.915))
            for shown in (one, other):
                shown.wait_for(b"91.5%")
        until(lambda: not running.session.link.watched)
        assert [command.name for command in steered(running)] == ["checkpoint", "checkpoint"]


def test_leaving_says_that_the_run_goes_on(tmp_path: Path) -> None:
    with scripted(tmp_path) as running:
        running.say(*opening(), *trained(1, 0.85, best=True))
        with attach(tmp_path) as shown:
            shown.wait_for(b"85.0%")
            shown.keys(b"d")
            assert shown.exit_status() == 0
            below = shown.screen.rpartition(LEAVES_SCREEN)[2].decode()
        assert f"{running.run.name} goes on" in below
        assert running.session.alive
        assert steered(running) == []


def test_read_only_changes_nothing(tmp_path: Path) -> None:
    with scripted(tmp_path) as running:
        running.say(*opening(), *trained(1, 0.85, best=True))
        with attach(tmp_path, "--read-only") as shown:
            shown.wait_for(b"85.0%")
            shown.keys(b"c")
            shown.wait_for(b"read-only: nothing can be changed from here")
            assert not running.session.link.watched
        assert running.taken == []


@pytest.mark.parametrize("ended", [True, False])
def test_a_run_that_is_over_is_shown_the_same_way(tmp_path: Path, ended: bool) -> None:
    record(tmp_path, "x", whole_run() if ended else half())
    with attach(tmp_path) as shown:
        shown.wait_for(b"93.0%" if ended else b"85.0%")
        shown.keys(b"q")
        assert shown.exit_status() == 0


def test_without_a_terminal_it_says_what_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, "x", whole_run())
    assert main(["attach", "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("fxtui: attach: needs a terminal; without one use fxtui show last")
    assert main(["attach", "y", "--runs", str(tmp_path)]) == 2
    assert main(["attach", "--theme", "mauve", "--runs", str(tmp_path)]) == 2


def test_a_run_that_cannot_go_on_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no checkpoint yet; start it anew"):
        take_up(record(tmp_path, "x", half()))


def test_an_ended_run_trains_on_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small = [word for setting in SMALL for word in ("--set", setting)]
    assert main(["demo", "--headless", "--runs", str(tmp_path / "runs"), *small]) == 0
    run = RunStore(tmp_path / "runs").find("last")
    assert len(run.load_state().epochs) == 2
    session = AttachedSession(run, take_up=take_up)
    session.start()
    try:
        session.send(cmd.UnfreezeNext())
        # As many as were planned, after which it holds: it is watched.
        until(lambda: (state := run.load_state()).holding and len(state.epochs) == 4)
        assert not run.load_state().only_head_trains
        session.send(cmd.Stop(when="now"))
        until(lambda: run.load_state().ended and not run.is_locked())
    finally:
        session.close()


def test_a_run_that_ended_in_its_own_dashboard_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runs = tmp_path / "runs"
    own = Opened(runs, "demo", *(word for setting in (*SMALL, "session.hold=never") for word in ("--set", setting)))
    try:
        own.wait_for(b"finished")
        own.keys(b"+")
        run = RunStore(runs).find("last")
        until(lambda: len(run.load_state().epochs) == 3)
        until(lambda: run.load_state().ended and not run.is_locked())
        own.keys(b"q")
        assert own.exit_status() == 0
    finally:
        own.close()
