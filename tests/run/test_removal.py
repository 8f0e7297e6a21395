"""Removal of runs: whole, and of nothing that fxtui did not make."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxtui.config import ConfigError, parse_config
from fxtui.run.journal import JournalWriter
from fxtui.run.removal import remove_run
from fxtui.run.store import RunDirectory, RunLock, RunLockedError, RunStore
from tests.run.samples import whole_run


def make(root: Path, name: str = "x") -> RunDirectory:
    """A run with a journal and a checkpoint."""
    run = RunStore(root).create(parse_config({"name": name, "data": {"source": "digits"}}, []))
    with JournalWriter(run.journal) as journal:
        for event in whole_run():
            journal.append(event)
    (run.checkpoints / "last").mkdir(parents=True)
    (run.checkpoints / "last" / "model.safetensors").write_bytes(b"weights")
    return run


def test_a_run_goes_and_its_neighbours_stay(tmp_path: Path) -> None:
    run, other = make(tmp_path, "x"), make(tmp_path, "y")
    remove_run(run)
    assert [path.name for path in tmp_path.iterdir()] == [other.name]


@pytest.mark.parametrize("journal", [None, b"", b'{"event": "login"}\n', b'{"type":"epoch_end"}\n'])
def test_a_strangers_folder_stays_as_it_is(tmp_path: Path, journal: bytes | None) -> None:
    theirs = RunDirectory(tmp_path / "project")
    theirs.path.mkdir()
    theirs.config.write_text("[tool]\n")
    if journal is not None:
        theirs.journal.write_bytes(journal)
    before = sorted(path.name for path in theirs.path.iterdir())
    with pytest.raises(ConfigError, match="so it may be no run and stays"):
        remove_run(theirs)
    assert sorted(path.name for path in theirs.path.iterdir()) == before


def test_a_run_that_is_written_to_stays_whole(tmp_path: Path) -> None:
    run = make(tmp_path)
    before = sorted(run.path.rglob("*"))
    lock = RunLock(run)
    with pytest.raises(RunLockedError):
        remove_run(run)
    lock.release()
    assert sorted(run.path.rglob("*")) == before


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "photo.jpg").write_bytes(b"x")
    run = make(tmp_path / "runs")
    (run.path / "photos").symlink_to(outside)
    (run.checkpoints / "photo.jpg").symlink_to(outside / "photo.jpg")
    remove_run(run)
    assert not run.path.exists()
    assert (outside / "photo.jpg").read_bytes() == b"x"


def test_a_link_to_a_run_is_not_the_run(tmp_path: Path) -> None:
    run = make(tmp_path / "scratch")
    link = tmp_path / "x"
    link.symlink_to(run.path)
    with pytest.raises(ConfigError, match="is a link, so it stays"):
        remove_run(RunDirectory(link))
    assert run.has_begun


def test_what_a_failed_removal_leaves_can_be_removed_again(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.checkpoints.chmod(0o500)
    try:
        (run.checkpoints / "probe").touch()
    except OSError:
        with pytest.raises(OSError, match="last"):
            remove_run(run)
        assert RunStore(tmp_path).list() == [run]
    run.checkpoints.chmod(0o700)
    remove_run(run)
    assert list(tmp_path.iterdir()) == []


def test_the_directory_one_is_in_can_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(tmp_path)
    monkeypatch.chdir(run.path)
    remove_run(RunDirectory(Path()))
    assert list(tmp_path.iterdir()) == []
