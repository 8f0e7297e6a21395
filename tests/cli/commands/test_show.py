"""``fxtui show``: a run in lines, as JSON, and as a schedule. In this process, without torch."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fxtui.cli.main import main
from fxtui.config import load_config
from fxtui.protocol import events as ev
from fxtui.protocol.schedule import ScheduleEntry
from fxtui.run.store import RunDirectory, RunLock
from tests.cli.recorded import half, lines, record
from tests.run.samples import done, going_on, opening, stamped, trained, unfreezing, whole_run


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


@pytest.mark.parametrize("held", [True, False])
def test_show_says_how_far_a_run_is_and_how_to_come_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], held: bool
) -> None:
    began = ev.RunStarted(name="x", version="0", epochs=50, config={}, pid=4711, host="box-7")
    run = record(tmp_path, "x", stamped([began, *trained(1, 0.8, best=True)]))
    lock = RunLock(run) if held else None
    assert main(["show", "x", "--runs", str(tmp_path)]) == 0
    text = lines(capsys)
    assert main(["show", "x", "--runs", str(tmp_path), "--json"]) == 0
    shown = json.loads(lines(capsys)[0])
    if lock:
        lock.release()
    assert "progress  1 of 50 epochs, best so far 80.0%" in text
    assert f"process   pid 4711 on box-7{'' if held else ' is gone'}" in text
    way = f"fxtui {'attach' if held else 'train --resume'} {run.path}"
    assert f"back with {way}" in text
    assert (shown["pid"], shown["host"], shown["back_with"], shown["best_val_accuracy"]) == (4711, "box-7", way, 0.8)


def test_show_line_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path, "x", half())
    lock = RunLock(run)
    assert main(["show", "x", "--line", "--runs", str(tmp_path)]) == 0
    lock.release()
    assert main(["show", "x", "--line", "--json", "--runs", str(tmp_path)]) == 0
    line, record_ = lines(capsys)
    assert line == "2/3 85.0% 0.12 s/epoch left 0.12 s"
    assert json.loads(record_) == {"name": run.name, "status": "interrupted", "line": "interrupted 1/3 85.0%"}


def test_show_line_of_an_ended_run_reads_no_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path, "x", whole_run())
    size = run.journal.stat()
    run.journal.write_bytes(bytes(size.st_size))
    os.utime(run.journal, ns=(size.st_mtime_ns, size.st_mtime_ns))
    assert main(["show", str(run.path), "--line"]) == 0
    assert lines(capsys) == ["finished 3/3 93.0%"]
