"""Following a run from a process of its own: streams, signals, lost readers, exit statuses. No torch involved."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fxtui.run.store import RunStore

ROOT = Path(__file__).parents[3]
SECONDS = 60


def start(how: str, what: str, runs: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.following.made_up", how, what, str(runs)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def follow(how: str, what: str, runs: Path, **environment: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a whole run."""
    process = start(how, what, runs, **environment)
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out, err


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def journal(runs: Path) -> str:
    return RunStore(runs).find("last").journal.read_text()


def test_json_is_the_journal_line_for_line(tmp_path: Path) -> None:
    status, out, err = follow("json", "finishes", tmp_path)
    assert (status, err) == (0, "")
    assert out == journal(tmp_path)
    assert records(out)[-1]["type"] == "run_finished"


def test_what_is_printed_meanwhile_goes_to_standard_error(tmp_path: Path) -> None:
    status, out, err = follow("json", "prints", tmp_path)
    assert status == 0
    assert out == journal(tmp_path)
    assert err.splitlines() == ["from python", "from c", "from a child"]


@pytest.mark.parametrize("how", ["json", "lines"])
def test_a_reader_that_leaves_does_not_end_the_run(tmp_path: Path, how: str) -> None:
    process = start(how, "talks", tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=SECONDS) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert records(journal(tmp_path))[-1]["type"] == "run_finished"


@pytest.mark.parametrize("how", ["json", "lines"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_saves_and_ends_with_130(tmp_path: Path, how: str, number: signal.Signals) -> None:
    process = start(how, "waits", tmp_path)
    _until(process, "epoch_end" if how == "json" else "90.0%")
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert err == (
        "fxtui: stopping between two batches, then saving; the exit status will be 130. Once more ends it at once\n"
    )
    assert RunStore(tmp_path).find("last").load_state().phase == "stopped"


def test_a_second_signal_ends_it_at_once_and_its_twin_does_not(tmp_path: Path) -> None:
    process = start("lines", "waits", tmp_path, SLOW="1")
    _until(process, "90.0%")
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    # What a whole job is told reaches a process twice: from the terminal, and from who waits for it.
    process.send_signal(signal.SIGINT)
    assert "stopping between two batches" in process.stderr.readline()
    time.sleep(0.7)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (130, "")


def test_a_lost_terminal_is_ignored(tmp_path: Path) -> None:
    process = start("lines", "waits", tmp_path)
    _until(process, "90.0%")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 130


@pytest.mark.parametrize("how", ["json", "lines"])
def test_a_configuration_found_wrong_late_is_one_line_and_leaves_nothing(tmp_path: Path, how: str) -> None:
    status, out, err = follow(how, "refuses", tmp_path)
    assert status == 2
    assert err == "fxtui: device = 'cuda:7': not on this machine; here: cpu\n"
    assert list(tmp_path.iterdir()) == []
    if how == "json":
        assert [record["type"] for record in records(out)] == ["run_started", "run_finished"]


def test_a_failed_run_says_why_and_what_is_kept(tmp_path: Path) -> None:
    status, out, err = follow("lines", "fails", tmp_path)
    assert (status, err) == (1, "")
    end = out.splitlines()[-4:]
    assert end[0].startswith("failed    loss is NaN at step 32: lower train.lr; best val 90.0% at epoch 1, 1 epoch in ")
    assert end[1].endswith("/checkpoints: best (epoch 1)")


def test_an_engine_that_dies_is_status_1_and_says_where_to_look(tmp_path: Path) -> None:
    status, _, err = follow("lines", "dies", tmp_path)
    assert status == 1
    assert "RuntimeError: a defect" in err
    assert err.splitlines()[-1].startswith("fxtui: the engine ended without a result; its journal is ")


def test_a_log_file_has_no_control_characters(tmp_path: Path) -> None:
    _, out, _ = follow("lines", "finishes", tmp_path)
    assert {char for char in out if ord(char) < 32} == {"\n"}


def _until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"ended without {words}")
