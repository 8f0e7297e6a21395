"""``fxtui runs``: a line a run, whatever became of it. In this process, without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fxtui.cli.main import main
from fxtui.run.store import RunLock
from tests.cli.recorded import half, lines, record
from tests.run.samples import whole_run


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
