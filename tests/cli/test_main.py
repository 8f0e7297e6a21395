"""What a command line is taken for, and how it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxtui import __version__
from fxtui.cli.main import COMMANDS, dispatch, main
from fxtui.config import ConfigError
from tests.cli.recorded import lines, record
from tests.run.samples import whole_run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "last"], "RUN last: no runs in "),
        (["show"], "Missing argument 'RUN'"),
        (["layers", "x", "--set", "seed=1"], "--set seed=1: a run has its configuration"),
        (["layers", "nowhere.toml"], "nowhere.toml: no such file"),
        (["predict", "last", "x.png"], "RUN last: no runs in "),
        (["train"], "CONFIG|FOLDER: missing; give a TOML file or a folder of images, or --resume RUN"),
        (["train", "nowhere"], "nowhere: no such file or folder"),
        (["train", "nowhere.toml"], "nowhere.toml: no such file"),
        (["train", "notes.txt"], "notes.txt: expected a .toml configuration, a folder of images or a .csv manifest"),
        (["trian"], "trian: no such command, file or folder; did you mean train?"),
        (
            ["xyz"],
            "xyz: no such command, file or folder; "
            "commands: choose, demo, train, attach, ctl, runs, show, rm, prune, cache, layers, predict, bench, doctor",
        ),
        (["./photos"], "photos: no such file or folder"),
        (["--colour"], "No such option '--colour'"),
        (["runs", "--sort"], "No such option '--sort'"),
        (["runs", "--runs"], "Option '--runs' requires an argument"),
        (["demo", "--set", "train.epoch=1"], "--set train.epoch: unknown key; did you mean train.epochs?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith(f"fxtui: {message}")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_given_as_data_is_pointed_to_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path, "x", whole_run())
    assert main([str(run.path)]) == 2
    assert f"is a run; see it with fxtui show {run.path}" in capsys.readouterr().err


def test_the_first_word_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "runs"):
        (tmp_path / folder).mkdir()
    assert dispatch([]) == ["--help"]
    assert dispatch(["photos", "--headless"]) == ["train", "photos", "--headless"]
    assert dispatch(["--runs", "elsewhere"]) == ["choose", "--runs", "elsewhere"]
    assert dispatch(["--version"]) == ["--version"]
    assert dispatch(["any.toml"]) == ["train", "any.toml"]
    assert dispatch(["./runs"]) == ["train", "./runs"]
    for command in COMMANDS:
        assert dispatch([command, "x"]) == [command, "x"]
    with pytest.raises(ConfigError):
        dispatch(["unheard-of"])


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert lines(capsys) == [f"fxtui {__version__}"]
    for arguments in ([], ["--help"], ["-h"]):
        assert main(arguments) == 0
        text = capsys.readouterr().out
        assert all(f"  {command} " in text for command in COMMANDS)
    for command in COMMANDS:
        assert main([command, "--help"]) == 0
        assert f"fxtui {command}" in capsys.readouterr().out
