"""``fxtui prune``: the oldest go first, and never one that runs or is held."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fxtui.cli.main import main
from fxtui.run.store import RunDirectory, RunLock
from tests.cli.recorded import half, lines, record
from tests.run.samples import whole_run


@pytest.fixture
def three(tmp_path: Path) -> list[RunDirectory]:
    """Runs of three ages, the oldest first."""
    found = []
    for age, name in enumerate(("old", "middle", "young")):
        run = record(tmp_path, name, whole_run() if name != "middle" else half())
        os.utime(run.config, (age, age))
        found.append(run)
    return found


def left(runs: Path) -> list[str]:
    return sorted(path.name.rpartition("-")[2] for path in runs.iterdir())


@pytest.mark.parametrize(
    ("keep", "stays"),
    [("0", []), ("1", ["young"]), ("2", ["middle", "young"]), ("9", ["middle", "old", "young"])],
)
@pytest.mark.usefixtures("three")
def test_the_newest_stay(tmp_path: Path, keep: str, stays: list[str]) -> None:
    assert main(["prune", "--keep", keep, "--runs", str(tmp_path)]) == 0
    assert left(tmp_path) == stays


def test_one_that_runs_stays_however_old(tmp_path: Path, three: list[RunDirectory]) -> None:
    lock = RunLock(three[0])
    assert main(["prune", "--keep", "1", "--yes", "--runs", str(tmp_path)]) == 0
    lock.release()
    assert left(tmp_path) == ["old", "young"]


def test_a_dry_run_says_the_oldest_first(
    tmp_path: Path, three: list[RunDirectory], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prune", "--keep", "1", "--dry-run", "--json", "--runs", str(tmp_path)]) == 0
    rows = [json.loads(line) for line in lines(capsys)]
    assert [(row["name"], row["removed"]) for row in rows] == [(three[0].name, False), (three[1].name, False)]
    assert len(left(tmp_path)) == 3


def test_nothing_to_remove_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, "x", whole_run())
    assert main(["prune", "--keep", "5", "--runs", str(tmp_path)]) == 0
    assert lines(capsys) == [f"nothing to remove: 1 run in {tmp_path}"]


@pytest.mark.parametrize("words", [[], ["--keep", "-1"], ["--keep", "x"]])
def test_how_many_stay_has_to_be_said(tmp_path: Path, words: list[str]) -> None:
    assert main(["prune", *words, "--runs", str(tmp_path)]) == 2
