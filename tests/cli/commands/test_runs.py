"""``fxtui runs``: a line a run, whatever became of it. In this process, without torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fxtui.cli.main import main
from fxtui.protocol import events as ev
from fxtui.run.journal import JournalWriter
from fxtui.run.store import RunDirectory, RunLock
from tests.cli.recorded import half, lines, record
from tests.run.samples import stamped, trained, whole_run


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
    assert table[0] == ["name", "status", "backbone", "epochs", "best", "val", "time", "back", "with"]
    assert table[1][:5] == [ages["ended"].name, "finished", "resnet18", "3", "93.0%"]
    assert table[2][:7] == [ages["killed"].name, "interrupted", "resnet18", "1", "of", "3", "85.0%"]
    assert table[2][9:] == ["fxtui", "train", "--resume", str(ages["killed"].path)]
    assert table[3][:2] == [ages["empty"].name, "running"]
    assert table[3][-3:] == ["fxtui", "attach", str(ages["empty"].path)]


def test_a_held_run_says_which_process_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = ev.RunHolding(epoch=2, step=50, reason="2 of 2 epochs", best=None, device="cpu", held_bytes=1, minutes=30.0)
    began = ev.RunStarted(name="x", version="0", epochs=2, config={}, pid=4711, host="box-7")
    run = record(tmp_path, "x", stamped([began, *trained(1, 0.8, best=True), *trained(2, 0.92, best=True), held]))
    lock = RunLock(run)
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    table = lines(capsys)
    assert main(["runs", "--runs", str(tmp_path), "--json"]) == 0
    lock.release()
    assert table[1].split("  ")[1] == "holding"
    assert "  2 of 2     92.0%  " in table[1]
    assert table[1].endswith(f"fxtui attach {run.path}  (pid 4711 on box-7)")
    row = json.loads(lines(capsys)[0])
    assert (row["status"], row["epochs"], row["epochs_planned"], row["pid"]) == ("holding", 2, 2, 4711)
    assert (row["host"], row["back_with"]) == ("box-7", f"fxtui attach {run.path}")


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


def watching(runs: Path, terminal: int | None = None, *more: str) -> subprocess.Popen[bytes]:
    """``fxtui runs --watch``, on a terminal if there is one."""
    return subprocess.Popen(
        [sys.executable, "-m", "fxtui", "runs", "--watch", "--runs", str(runs), *more],
        stdin=terminal if terminal is not None else subprocess.DEVNULL,
        stdout=terminal if terminal is not None else subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200", "LINES": "20"},
    )


def say_more(run: RunDirectory) -> None:
    with JournalWriter(run.journal) as journal:
        for event in stamped(trained(2, 0.9, best=True)):
            journal.append(event)


def test_watch_says_in_lines_what_changes_and_ends_with_0(tmp_path: Path) -> None:
    ended, run = record(tmp_path, "ended", whole_run()), record(tmp_path, "x", half())
    with watching(tmp_path) as process:
        assert process.stdout is not None
        first = [process.stdout.readline().decode().split()[0] for _ in range(3)]
        assert first == ["name", ended.name, run.name]
        say_more(run)
        changed = process.stdout.readline().decode().split()
        assert (changed[0], changed[3:7]) == (run.name, ["2", "of", "3", "90.0%"])
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout.read() == b""


def test_watch_as_json_says_every_run_once_and_again_when_it_changes(tmp_path: Path) -> None:
    record(tmp_path, "ended", whole_run())
    run = record(tmp_path, "x", half())
    with watching(tmp_path, None, "--json") as process:
        assert process.stdout is not None
        rows = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert [row["epochs"] for row in rows] == [3, 1]
        say_more(run)
        assert json.loads(process.stdout.readline())["epochs"] == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_watch_redraws_in_place_what_changed(tmp_path: Path) -> None:
    ended, run = record(tmp_path, "ended", whole_run()), record(tmp_path, "x", half())
    ours, theirs = os.openpty()
    with watching(tmp_path, theirs) as process:
        os.close(theirs)
        seen = b""
        while run.name.encode() not in seen:
            seen += os.read(ours, 65536)
        say_more(run)
        again = b""
        while b"90.0%" not in again:
            again += os.read(ours, 65536)
        assert b"\x1b[3A" in again
        assert ended.name.encode() not in again
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    os.close(ours)
