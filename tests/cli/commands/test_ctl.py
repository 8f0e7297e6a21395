"""``fxtui ctl``: what it prints and how it ends, against an engine in this process, and one that was killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fxtui.cli.main import main
from fxtui.protocol import commands as cmd
from fxtui.run.store import RunLock
from tests.cli.recorded import half, lines, record
from tests.run.samples import opening, whole_run
from tests.run.session.scripted import ScriptedRun, made, scripted

ROOT = Path(__file__).parents[3]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ScriptedRun]:
    with scripted(tmp_path) as run:
        run.say(*opening())
        yield run


def ctl(run: ScriptedRun, *words: str) -> int:
    return main(["ctl", "last", *words, "--runs", str(run.run.path.parent)])


def test_what_is_done_is_said_with_status_0(running: ScriptedRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(running, "unfreeze", "layer4") == 0
    assert lines(capsys) == ["set_trainable done"]
    (taken,) = running.taken
    assert isinstance(taken, cmd.SetTrainable)
    assert (taken.paths, taken.value, taken.origin) == (("layer4",), True, "ctl")
    assert not running.session.link.watched


def test_what_is_refused_is_said_with_status_1(running: ScriptedRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(running, "freeze_all") == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "fxtui: only the head trains\n")


def test_as_json_the_answer_is_one_object(running: ScriptedRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl(running, "add_epochs", "n=-2", "--json") == 0
    (line,) = lines(capsys)
    assert (json.loads(line)["type"], json.loads(line)["command"]) == ("command_done", "add_epochs")
    assert ctl(running, "freeze_all", "--json") == 1
    (line,) = lines(capsys)
    assert (json.loads(line)["type"], json.loads(line)["reason"]) == ("command_refused", "only the head trains")


def test_wrong_usage_is_status_2_and_the_run_hears_nothing(
    running: ScriptedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ctl(running, "stop", "when=later") == 2
    assert capsys.readouterr().err == "fxtui: ctl: when=later: expected epoch or now\n"
    assert main(["ctl", "last"]) == 2
    assert main(["ctl", "nowhere", "pause", "--runs", str(running.run.path.parent)]) == 2
    assert running.taken == []


def test_pictures_are_meant_where_the_user_is(
    running: ScriptedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ctl(running, "predict", "images=3,a.png") == 0
    (taken,) = running.taken
    assert isinstance(taken, cmd.Predict)
    assert taken.images == (3, str(tmp_path / "a.png"))


def test_a_run_that_has_ended_or_was_killed_is_status_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended, killed = record(tmp_path, "ended", whole_run()), record(tmp_path, "killed", half())
    assert main(["ctl", ended.name, "pause", "--runs", str(tmp_path)]) == 3
    assert capsys.readouterr().err == f"fxtui: {ended.name}: the run has ended\n"
    assert main(["ctl", killed.name, "pause", "--runs", str(tmp_path)]) == 3
    assert "has died" in capsys.readouterr().err
    assert main(["ctl", ended.name, "pause", "--runs", str(tmp_path), "--json"]) == 3
    (line,) = lines(capsys)
    assert json.loads(line)["type"] == "not_running"


def test_a_run_without_a_socket_is_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fxtui.cli.commands.ctl._REACH_SECONDS", 0.1)
    run = made(tmp_path)
    lock = RunLock(run)
    run.journal.touch()
    assert main(["ctl", run.name, "pause", "--runs", str(tmp_path)]) == 3
    assert "no control socket" in capsys.readouterr().err
    lock.release()


def test_two_scripts_at_once_get_an_answer_each(running: ScriptedRun) -> None:
    arguments = [sys.executable, "-m", "fxtui", "ctl", "last", "add_epochs", "--runs", str(running.run.path.parent)]
    both = [subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [child.communicate(timeout=60)[0] for child in both] == ["add_epochs done\n"] * 2
    assert [child.returncode for child in both] == [0, 0]
    assert len(running.taken) == 2


def test_it_loads_neither_torch_nor_textual(running: ScriptedRun) -> None:
    code = (
        "import sys; from fxtui.cli.main import main; main(sys.argv[1:]); "
        "print([name for name in ('torch', 'textual', 'rich') if name in sys.modules])"
    )
    arguments = [sys.executable, "-c", code, "ctl", "last", "pause", "--runs", str(running.run.path.parent)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["pause done", "[]"]
