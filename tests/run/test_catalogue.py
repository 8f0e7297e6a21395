"""The catalogue of runs: what it says of runs that ended in every way, and that damage hides no other run."""

from __future__ import annotations

from pathlib import Path

from fxtui.config import parse_config
from fxtui.run.catalogue import Catalogue, settings_that_differ, size_of
from fxtui.run.store import RunLock, RunStore
from tests.tui.runs import some_runs


def test_every_ending_is_told_newest_first(tmp_path: Path) -> None:
    some_runs(tmp_path)
    entries = Catalogue(tmp_path / "runs").entries()
    assert [(run.short_name, run.status) for run in entries] == [
        ("fourth", "interrupted"),
        ("third", "failed"),
        ("second", "stopped"),
        ("first", "finished"),
    ]
    second = entries[2]
    assert second.trains == "features.8, head"
    assert [text for _, text in second.done] == ["features.8 trains: 412,160 more parameters (z undoes)"]
    assert second.best is not None
    assert (second.best.epoch, len(second.epochs), second.epochs_planned) == (6, 6, 12)
    assert entries[1].reason == "loss is NaN"


def test_a_run_that_is_locked_is_running(tmp_path: Path) -> None:
    runs = some_runs(tmp_path)
    catalogue = Catalogue(tmp_path / "runs")
    lock = RunLock(runs[3])
    assert catalogue.entries()[0].status == "running"
    lock.release()
    assert catalogue.entries()[0].status == "interrupted"


def test_a_run_that_has_its_lock_and_no_journal_yet_is_running(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(parse_config({"name": "new", "data": {"source": "digits"}}, []))
    lock = RunLock(run)
    assert [entry.status for entry in Catalogue(tmp_path).entries()] == ["running"]
    lock.release()
    (entry,) = Catalogue(tmp_path).entries()
    assert (entry.status, entry.reason) == ("damaged", "has no events.jsonl")


def test_damage_is_told_and_hides_no_other_run(tmp_path: Path) -> None:
    runs = some_runs(tmp_path)
    catalogue = Catalogue(tmp_path / "runs")
    catalogue.entries()
    lines = runs[1].journal.read_bytes().splitlines(keepends=True)
    runs[1].journal.write_bytes(b"".join([lines[0], b"{nonsense}\n", *lines[1:]]))
    runs[2].journal.write_bytes(runs[2].journal.read_bytes()[:-7])
    runs[0].journal.unlink()
    by_name = {run.short_name: run for run in catalogue.entries()}
    assert by_name["second"].status == "damaged"
    assert "events.jsonl" in by_name["second"].reason
    assert by_name["third"].status == "interrupted"
    assert by_name["first"].status == "damaged"
    assert by_name["fourth"].status == "interrupted"


def test_only_what_changed_is_read_again(tmp_path: Path) -> None:
    runs = some_runs(tmp_path)
    catalogue = Catalogue(tmp_path / "runs")
    before = catalogue.entries()
    runs[3].journal.write_bytes(runs[3].journal.read_bytes().rsplit(b"\n", 2)[0] + b"\n")
    after = catalogue.entries()
    assert after[0] is not before[0]
    assert len(after[0].epochs) == 1
    assert all(one is other for one, other in zip(after[1:], before[1:], strict=True))


def test_settings_that_differ_are_those_that_differ(tmp_path: Path) -> None:
    some_runs(tmp_path)
    entries = Catalogue(tmp_path / "runs").entries()
    assert settings_that_differ(entries[:2]) == []
    assert settings_that_differ([entries[0], entries[3]]) == [("train.lr", ("0.001", "0.003"))]


def test_a_journal_that_cannot_be_read_hides_no_other_run(tmp_path: Path) -> None:
    runs = some_runs(tmp_path)
    runs[1].journal.unlink()
    runs[1].journal.mkdir()
    entries = Catalogue(tmp_path / "runs").entries()
    assert [run.status for run in entries] == ["interrupted", "failed", "damaged", "finished"]
    assert "events.jsonl" in entries[2].reason


def test_the_size_of_a_run_counts_all_its_files_and_follows_no_links(tmp_path: Path) -> None:
    run = some_runs(tmp_path)[0]
    before = size_of(run.path)
    (run.path / "checkpoints").mkdir()
    (run.path / "checkpoints" / "last").write_bytes(b"x" * 5000)
    outside = tmp_path / "outside"
    outside.write_bytes(b"x" * 70_000)
    (run.path / "link").symlink_to(outside)
    assert size_of(run.path) == before + 5000
    assert size_of(tmp_path / "none") == 0
