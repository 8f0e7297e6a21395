"""Commands that read runs, and what a command line is taken for. In this process, without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fxtui import __version__
from fxtui.cli.main import COMMANDS, dispatch, main
from fxtui.config import ConfigError, load_config, parse_config
from fxtui.protocol import events as ev
from fxtui.protocol.schedule import ScheduleEntry
from fxtui.run.journal import JournalWriter
from fxtui.run.state import fold
from fxtui.run.store import RunDirectory, RunLock, RunStore
from fxtui.run.summary import write_summary
from tests.run.samples import done, going_on, opening, stamped, trained, unfreezing, whole_run


def record(runs: Path, name: str, events: list[ev.Event]) -> RunDirectory:
    """A run on disk with these events, its summary written if it has ended."""
    run = RunStore(runs).create(parse_config({"name": name, "data": {"source": "digits"}}, []))
    with JournalWriter(run.journal) as journal:
        for event in events:
            journal.append(event)
    if any(isinstance(event, ev.RunFinished) for event in events):
        write_summary(run, fold(events))
    return run


def half() -> list[ev.Event]:
    """A run that was killed in its second epoch."""
    return stamped([*opening(), *trained(1, 0.85, best=True), *trained(2, 0.9)[:2]])


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_runs_are_a_table_oldest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ages = {}
    for age, (name, events) in enumerate([("ended", whole_run()), ("killed", half()), ("empty", [])]):
        run = record(tmp_path, name, events)
        os.utime(run.config, (age, age))
        ages[name] = run
    held = RunLock(ages["empty"])
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    held.release()
    table = [line.split() for line in lines(capsys)]
    assert table[0] == ["name", "status", "backbone", "epochs", "best", "val", "time"]
    assert table[1][:5] == [ages["ended"].name, "finished", "resnet18", "3", "93.0%"]
    assert table[2][:4] == [ages["killed"].name, "interrupted", "resnet18", "1"]
    assert table[3][:2] == [ages["empty"].name, "running"]


def test_a_damaged_run_does_not_hide_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = record(tmp_path, "broken", half())
    broken.journal.write_bytes(b"nonsense\n")
    record(tmp_path, "fine", whole_run())
    assert main(["runs", "--runs", str(tmp_path), "--json"]) == 0
    rows = {row["name"][14:]: row for row in map(json.loads, lines(capsys))}
    assert (rows["broken"]["status"], rows["fine"]["status"]) == ("damaged", "finished")
    assert "events.jsonl:1: not an event" in rows["broken"]["reason"]


@pytest.mark.parametrize("summary", ["", "[]", "{}", '{"status": "finished"}'])
def test_a_summary_that_is_none_is_made_up_for_by_the_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], summary: str
) -> None:
    record(tmp_path, "x", whole_run()).summary.write_text(summary)
    assert main(["runs", "--runs", str(tmp_path), "--json"]) == 0
    row = json.loads(lines(capsys)[0])
    assert (row["status"], row["best_val_accuracy"], row["epochs"]) == ("finished", 0.93, 3)


def test_no_runs_is_said_and_is_no_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert lines(capsys) == [f"no runs in {tmp_path}; start one with fxtui train CONFIG"]
    assert main(["runs", "--runs", str(tmp_path), "--json"]) == 0
    assert lines(capsys) == []


def test_show_sums_a_run_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path, "x", whole_run())
    assert main(["show", "x", "--runs", str(tmp_path)]) == 0
    text = lines(capsys)
    assert text[0] == "digits-demo  finished"
    assert f"path      {run.path}" in text
    assert "data      digits: 800 train, 200 validation, 10 classes" in text
    assert "trains    8.40M of 11.2M parameters: layer4, fc (head)" in text
    assert "best      epoch 3, val 93.0%" in text
    assert "    3 0.3333    0.3667     94.0%    93.0%   1e-3  0.12  best" in text
    assert "epoch 2.0  layer4 trains: 8.39M more parameters" in text
    assert text[-3:] == ["2 files skipped", "  a/empty.png: empty file", "  b/torn.jpg: truncated"]


def test_show_as_json_is_one_object_with_the_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, "x", whole_run())
    assert main(["show", "last", "--runs", str(tmp_path), "--json"]) == 0
    (line,) = lines(capsys)
    shown: dict[str, Any] = json.loads(line)
    assert (shown["status"], shown["epochs"], shown["trains"]) == ("finished", 3, ["layer4", "fc"])
    assert [epoch["val_accuracy"] for epoch in shown["history"]] == [0.85, 0.90, 0.93]
    assert shown["skipped"][1] == {"path": "b/torn.jpg", "reason": "truncated"}


def steered() -> list[ev.Event]:
    """A run in which much was done, killed and taken up again from the end of its first epoch."""
    unfreeze = done("unfreeze_next", epoch=2, batch=0, step=26, origin="schedule")
    return stamped(
        [
            *opening(),
            done("set_lr", epoch=1, batch=3, step=4, lr=3e-4),
            done("pause", epoch=1, batch=3, step=4),
            ev.CommandRefused(command="undo", reason="nothing to undo"),
            done("resume", epoch=1, batch=3, step=4),
            *trained(1, 0.85),
            unfreeze,
            unfreezing(1),
            done("undo", epoch=2, batch=7, step=33),
            *trained(2, 0.9)[:2],
            *going_on(2, 25, 3),
            unfreeze,
            unfreezing(1),
            done("set_trainable", epoch=2, batch=9, step=35, paths=["layer3.1", "*.bn*"], value=True),
            done("stop", epoch=2, batch=20, step=46, when="epoch", interrupted=False),
            *trained(2, 0.9),
        ]
    )


def test_show_schedule_is_what_was_carried_out_as_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path, "x", steered())
    assert main(["show", "x", "--runs", str(tmp_path), "--schedule"]) == 0
    text, err = capsys.readouterr()
    assert err == ""
    comment, *tables = text.splitlines()
    assert comment == (f"# Carried out in {run.name}: put this in place of that run's own [[schedule]], if it has one.")
    assert tables == [
        "[[schedule]]",
        'at = "step 4"',
        'command = "set_lr"',
        "lr = 0.0003",
        "",
        "[[schedule]]",
        'at = "epoch 2"',
        'command = "unfreeze_next"',
        "",
        "[[schedule]]",
        'at = "step 35"',
        'command = "set_trainable"',
        "paths = [",
        '    "layer3.1",',
        '    "*.bn*",',
        "]",
        "value = true",
        "",
        "[[schedule]]",
        'at = "step 46"',
        'command = "stop"',
        'when = "epoch"',
    ]


def test_what_show_schedule_prints_can_be_appended_to_the_runs_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = record(tmp_path, "x", steered())
    assert main(["show", "x", "--runs", str(tmp_path), "--schedule"]) == 0
    again = tmp_path / "again.toml"
    again.write_text(run.config.read_text() + capsys.readouterr().out)
    config = load_config(again)
    assert [entry.at for entry in config.schedule] == ["step 4", "epoch 2", "step 35", "step 46"]
    assert msgspec.structs.replace(config, schedule=()) == run.load_config()
    assert main(["show", "x", "--runs", str(tmp_path), "--schedule", "--json"]) == 0
    objects = [json.loads(line) for line in lines(capsys)]
    assert msgspec.convert(objects, tuple[ScheduleEntry, ...]) == config.schedule


def test_show_schedule_without_any_command_is_the_comment_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = record(tmp_path, "x", half())
    run = RunDirectory(run.path.rename(tmp_path / "a\nb"))
    assert main(["show", str(run.path), "--schedule"]) == 0
    (comment,) = lines(capsys)
    assert comment.startswith("# Carried out in a?b: ")
    assert tomllib.loads(comment) == {}


def test_a_command_of_which_the_journal_does_not_say_when_is_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path, "x", stamped([*opening(), ev.CommandDone(command="undo", text="undone")]))
    assert main(["show", "x", "--runs", str(tmp_path), "--schedule"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert err == "fxtui: 1 command left out: the journal does not say when, or with what\n"


@pytest.mark.parametrize(("events", "status"), [(half(), "interrupted"), ([], "interrupted"), (half()[:1], "running")])
def test_show_tells_killed_from_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], events: list[ev.Event], status: str
) -> None:
    run = record(tmp_path, "x", events)
    held = RunLock(run) if status == "running" else None
    assert main(["show", "last", "--runs", str(tmp_path), "--json"]) == 0
    if held:
        held.release()
    assert json.loads(lines(capsys)[0])["status"] == status


def test_layers_of_a_run_come_from_its_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, "x", whole_run())
    assert main(["layers", "x", "--runs", str(tmp_path)]) == 0
    assert lines(capsys) == [
        "layer   type        params  grad  optim    lr  mode",
        "conv1   Sequential   9,408  no    no        –  eval",
        "layer1  Sequential    148k  no    no        –  eval",
        "layer2  Sequential    526k  no    no        –  eval",
        "layer3  Sequential   2.10M  no    no        –  eval",
        "layer4  Sequential   8.39M  yes   yes    1e-3  train",
        "fc      Linear       5,130  yes   yes    1e-3  train",
        "",
        "11,181,514 parameters, 8,398,858 train",
    ]
    assert main(["layers", "x", "--runs", str(tmp_path), "--json"]) == 0
    rows = [json.loads(line) for line in lines(capsys)]
    assert [row["type"] for row in rows] == ["layer"] * 6 + ["total"]
    assert rows[-1]["parameters"] == sum(row["parameters"] for row in rows[:-1])
    trains = sum(row["parameters"] for row in rows[:-1] if row["trainable"] == "all")
    assert rows[-1]["trainable_parameters"] == trains


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
            "commands: choose, demo, train, runs, show, layers, predict, bench, doctor",
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


def test_an_image_that_is_not_there_is_said_before_torch_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path, "x", whole_run())
    assert main(["predict", "x", str(tmp_path / "none.png"), "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"fxtui: IMAGE {tmp_path / 'none.png'}: no such file\n"
    assert main(["predict", "x", str(tmp_path), "--runs", str(tmp_path)]) == 2
    assert "is a folder; give image files" in capsys.readouterr().err


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


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_name_that_the_terminal_cannot_show_is_no_error(tmp_path: Path, encoding: str) -> None:
    record(tmp_path, "Blätter-葉", half())
    done = subprocess.run(
        [sys.executable, "-m", "fxtui", "runs", "--runs", str(tmp_path)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"interrupted" in done.stdout


def test_a_reader_that_leaves_early_gets_no_traceback(tmp_path: Path) -> None:
    for number in range(3):
        record(tmp_path, f"run-{number}", half())
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "fxtui", "runs", "--runs", str(tmp_path)],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")
