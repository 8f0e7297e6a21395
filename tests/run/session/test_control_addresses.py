"""Where a run's socket lies, and what becomes of it when it is taken away, stale or cannot be made."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import time
from pathlib import Path

import pytest

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.journal import read_journal
from fxtui.run.session import address
from fxtui.run.session.address import control_file, read_address
from fxtui.run.store import RunDirectory
from tests.run.session.raw_viewer import Raw, serves
from tests.run.session.scripted import ScriptedRun, answer_to, attached, made, scripted, until


def test_a_socket_that_is_taken_away_is_made_anew_and_said(running: ScriptedRun) -> None:
    before = read_address(running.run)
    assert before is not None
    with attached(running.run) as viewer:
        assert viewer.wait_connected(30)
        shutil.rmtree(Path(before.path).parent)
        until(lambda: Path(before.path).exists())
        # Whoever was connected is connected still.
        assert isinstance(answer_to(viewer, cmd.Pause()), ev.CommandDone)
    serves(running)


def test_when_the_users_directory_has_gone_another_is_found(running: ScriptedRun) -> None:
    before = read_address(running.run)
    assert before is not None
    home = Path(before.path).parent.parent
    moved = home.with_name("gone")
    home.rename(moved)
    try:
        until(lambda: (found := read_address(running.run)) is not None and found.path != before.path)
        found = read_address(running.run)
        assert found is not None
        assert stat.S_IMODE(Path(found.path).parent.stat().st_mode) == 0o700
        serves(running)
    finally:
        moved.rename(home)


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    with scripted(tmp_path) as run:
        found = read_address(run.run)
        assert found is not None
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(found.path)
    stale.close()
    again = ScriptedRun(run.run)
    again.session.start()
    again.say(ev.Output(text="x"))
    serves(again)
    again.end()


def test_after_the_end_nothing_is_left_of_it(tmp_path: Path) -> None:
    with scripted(tmp_path) as run, Raw(run.run) as raw:
        found = read_address(run.run)
        raw.send(b'{"type":"subscribe"}\n')
        until(lambda: run.session.link.watched)
        run.end()
        assert raw.until("run_finished")["status"] == "finished"
        assert raw.is_closed()
        assert found is not None
        assert not Path(found.path).exists()
        assert not control_file(run.run).exists()


def refuse_to_listen(_run: RunDirectory) -> address.Listening:
    raise address.NoSocketError("/run: Read-only file system")


def warnings(run: RunDirectory) -> list[str]:
    return [event.text for event in read_journal(run.journal) if isinstance(event, ev.RunWarning)]


@pytest.mark.parametrize("how", ["too long", "not a directory", "somebody else's", "no descriptor"])
def test_where_no_socket_can_be_made_the_run_says_so_in_one_line_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    place = tmp_path / ("x" * 100 if how == "too long" else "place")
    place.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    monkeypatch.setattr("tempfile.tempdir", str(place))
    if how == "not a directory":
        (place / "fxtui").write_text("")
        (place / f"fxtui-{os.geteuid()}").write_text("")
    elif how == "somebody else's":
        (place / "fxtui").symlink_to(tmp_path)
        (place / f"fxtui-{os.geteuid()}").symlink_to(tmp_path)
    elif how == "no descriptor":
        monkeypatch.setattr(address, "listen", refuse_to_listen)
    with scripted(tmp_path / "runs") as run:
        run.say(ev.RunStarted(name="x", version="0", epochs=1, config={}))
        until(lambda: warnings(run.run))
        run.say(ev.Output(text="goes on"))
        time.sleep(1.2)
        assert read_address(run.run) is None
    (warning,) = warnings(run.run)
    assert warning.startswith("no control socket, so no commands from elsewhere: ")
    assert "\n" not in warning
    assert type(next(iter(read_journal(run.run.journal)))) is ev.RunStarted


def test_a_directory_that_is_open_to_others_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "fxtui").mkdir(mode=0o777)
    with scripted(tmp_path / "runs"):
        assert stat.S_IMODE((tmp_path / "fxtui").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"path":1}', "\xff", "null", "[" * 100_000, '{"path":"' + "x" * 9000]
)
def test_a_control_file_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    run = made(tmp_path)
    control_file(run).write_bytes(text.encode("latin-1"))
    assert read_address(run) is None
