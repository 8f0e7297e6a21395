"""The bench of faults: that it can tell a run that survived from one that did not."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from fxtui.bench.faults import measure, storage
from fxtui.bench.faults.inject import SHORT, Fault, Faults
from fxtui.bench.faults.processes import Processes
from fxtui.bench.faults.storage import StorageFault, storage_faults, try_fault
from fxtui.bench.faults.tiny import Losses, carry_out, tiny_config, wrongs
from fxtui.bench.rows import Row
from fxtui.cli.commands.bench import lines_of
from fxtui.cli.main import main


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Losses:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return carry_out(tiny_config(), tmp_path_factory.mktemp("runs")).losses


def test_calls_fail_by_file_and_by_count(tmp_path: Path) -> None:
    real = os.write
    file = os.open(tmp_path / "a.bin", os.O_RDWR | os.O_CREAT)
    other = os.open(tmp_path / "b.txt", os.O_RDWR | os.O_CREAT)
    with Faults(Fault("write", "*.bin", errno.EIO, after=1, times=2)) as faults:
        assert os.write(file, b"one") == 3
        for _ in range(2):
            assert os.write(other, b"two") == 3
            with pytest.raises(OSError, match="Input/output error"):
                os.write(file, b"two")
        assert os.write(file, b"three") == 5
    assert faults.struck == 2
    assert os.write is real
    with Faults(Fault("write", "*.bin", SHORT), Fault("open", "*.bin", errno.EROFS)):
        assert os.write(file, b"four") == 2
        with pytest.raises(OSError, match="Read-only"):
            os.open(tmp_path / "a.bin", os.O_RDONLY)
    os.close(file)
    os.close(other)


@pytest.mark.parametrize(
    "name", ["journal: write ENOSPC", "checkpoint state.pt: write EIO", "cache in a file: pread EIO"]
)
def test_a_fault_that_is_survived(tmp_path: Path, expected: Losses, name: str) -> None:
    (fault,) = (fault for fault in storage_faults() if fault.case == name)
    for number in range(2):
        assert try_fault(fault, number, tmp_path, expected) == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", storage_faults(), ids=lambda fault: fault.case)
def test_every_fault_is_survived_again_and_again(tmp_path: Path, expected: Losses, fault: StorageFault) -> None:
    for number in range(6):
        assert try_fault(fault, number, tmp_path, expected) == []


def test_what_is_wrong_is_found(tmp_path: Path, expected: Losses) -> None:
    outcome = carry_out(tiny_config(), tmp_path)
    assert wrongs(outcome, expected) == []
    assert wrongs(outcome, [(0.0, 0.0), *expected[1:]]) == ["its losses are others"]
    assert wrongs(outcome, expected[1:]) == ["its losses are others"]
    outcome.run.journal.write_bytes(b"nonsense\n")
    (outcome.run.checkpoints / "last" / "state.pt").write_bytes(b"")
    (outcome.run.checkpoints / "best" / "state.pt").write_bytes(b"")
    assert len(wrongs(outcome, expected)) == 2
    other = carry_out(tiny_config("train.lr=1e30"), tmp_path)
    assert wrongs(other, expected)[0].startswith("the run failed: ")


def test_a_run_that_may_write_short_files_only(tmp_path: Path, expected: Losses) -> None:
    assert Processes().with_short_files(tmp_path, expected) == []


@pytest.mark.parametrize("count", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_at_any_moment(tmp_path: Path, count: int) -> None:
    processes = Processes()
    seconds, whole = processes.whole(tmp_path / "whole")
    for number in range(count):
        assert processes.killed(number, tmp_path / str(number), seconds, whole) == []


def test_rows_count_and_a_run_that_is_lost_is_status_1(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    some = [fault for fault in storage_faults() if fault.case in ("journal: write EIO", "summary: write EIO")]
    monkeypatch.setattr(measure, "storage_faults", lambda: some)
    monkeypatch.setattr(measure, "hostile_journals", lambda: [("nothing", b""), ("zeros", b"\0\n")])
    lost = iter([["its losses are others"], []])
    monkeypatch.setattr(measure, "try_fault", lambda *_: next(lost))
    assert main(["bench", "faults", "--kills", "1", "--json"]) == 1
    said = capfd.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [(row["case"], row["baseline"], row["value"], row["met"]) for row in rows] == [
        ("journal: write EIO", 1, 0, False),
        ("summary: write EIO", 1, 1, True),
        ("journal on a device that is full", 1, 1, True),
        ("no file longer than the system allows", 1, 1, True),
        ("killed at any moment and gone on with", 1, 1, True),
        ("journal of nothing", 1, 1, True),
        ("journal of zeros", 1, 1, True),
    ]
    assert "journal: write EIO, 1 of 1: its losses are others" in said.err


def test_the_table_says_tried_and_survived() -> None:
    row = Row(bench="faults", case="kills", baseline=6, value=5, unit="runs", ratio=5 / 6, budget=1.0, met=False)
    heading, line = lines_of([row])
    assert heading.split() == ["fault", "tried", "survived", "met"]
    assert line.split() == ["kills", "6", "5", "NO"]


def test_every_file_that_a_run_writes_is_tried() -> None:
    cases = {fault.case.partition(":")[0] for fault in storage_faults()}
    assert cases == {
        *(f"checkpoint {name}" for name in ("model.safetensors", "state.pt", "info.json")),
        *("journal", "checkpoint", "summary", "config", "cache", "cache in memory", "cache in a file"),
    }
    assert all(fault.fault.call for fault in storage_faults())
    assert set(storage.ERRORS) == {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}
