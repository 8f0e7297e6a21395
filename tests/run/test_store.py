"""Runs on disk: made, listed, found, locked."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fxtui.config import ConfigError, parse_config
from fxtui.run.journal import JournalWriter
from fxtui.run.state import fold
from fxtui.run.storage import write_atomically
from fxtui.run.store import RunDirectory, RunLock, RunLockedError, RunStore
from tests.run.samples import whole_run

CONFIG = parse_config({"name": "digits-demo", "data": {"source": "digits"}}, [])
NOW = 1_760_000_000.0


def make(store: RunStore, name: str, age: float = 0.0) -> RunDirectory:
    """A run of this name, ``age`` minutes old."""
    started = NOW - age * 60
    run = store.create(parse_config({"name": name, "data": {"source": "digits"}}, []), started)
    os.utime(run.config, (started, started))
    return run


def test_a_new_run_is_named_by_time_and_configuration_and_holds_it(tmp_path: Path) -> None:
    run = RunStore(tmp_path / "deep" / "runs").create(CONFIG, NOW)
    assert run.name.endswith("-digits-demo")
    assert len(run.name) == len("20261123-1405-digits-demo")
    assert run.load_config() == CONFIG


def test_two_runs_in_one_minute_get_two_names(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    names = [store.create(CONFIG, NOW).name for _ in range(3)]
    assert names == [names[0], f"{names[0]}-2", f"{names[0]}-3"]


@pytest.mark.parametrize(
    ("tree", "ending"),
    [
        ({"name": "Füße & Blätter", "data": {"source": "digits"}}, "-Füße-Blätter"),
        ({"data": {"source": "/data/My Photos"}}, "-My-Photos"),
        ({"data": {"source": "labels.csv"}}, "-labels"),
        ({"name": "...", "data": {"source": "digits"}}, "-run"),
    ],
)
def test_names_are_made_safe_for_a_directory(tmp_path: Path, tree: dict[str, object], ending: str) -> None:
    assert RunStore(tmp_path).create(parse_config(tree, []), NOW).name[13:] == ending


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--runs .*file: cannot be written"):
        RunStore(tmp_path / "file").create(CONFIG)


def test_runs_are_listed_oldest_first_and_strangers_left_out(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    young, old = make(store, "young", 1), make(store, "old", 99)
    (tmp_path / "stranger").mkdir()
    (tmp_path / "note.txt").write_text("")
    assert [run.name for run in store.list()] == [old.name, young.name]
    assert RunStore(tmp_path / "none").list() == []


def test_a_folder_with_a_configuration_is_no_run(tmp_path: Path) -> None:
    theirs = tmp_path / "project"
    theirs.mkdir()
    (theirs / "config.toml").write_text("[data]\nsource = 'digits'\n")
    (theirs / "events.jsonl").write_text('{"event": "login"}\n')
    store = RunStore(tmp_path)
    assert store.list() == []
    with pytest.raises(ConfigError, match="no runs in"):
        store.find(str(theirs))
    cats = make(store, "cats")
    assert store.list() == [cats]
    with pytest.raises(ConfigError, match="not found in"):
        store.find(str(theirs))


def test_a_run_that_lost_its_lock_is_known_by_its_journal(tmp_path: Path) -> None:
    run = make(RunStore(tmp_path), "cats")
    (run.path / ".lock").unlink()
    assert RunStore(tmp_path).list() == []
    with JournalWriter(run.journal) as journal:
        journal.append(whole_run()[0])
    assert RunStore(tmp_path).list() == [run]
    assert RunStore(tmp_path).find(str(run.path)) == run


def test_find_takes_directory_name_plain_name_prefix_and_last(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    cats, dogs = make(store, "cats", 9), make(store, "dogs", 1)
    assert store.find(str(cats.path)).path == cats.path
    assert store.find(cats.name) == cats
    assert store.find("cats") == cats
    assert store.find("ca") == cats
    assert store.find("last") == dogs


def test_a_plain_name_means_its_latest_run(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    first, second = make(store, "cats", 9), make(store, "cats", 1)
    assert first.name != second.name
    assert store.find("cats") == second


@pytest.mark.parametrize(
    ("reference", "says"),
    [("2025", "RUN 2025: matches 2 runs: "), ("bird", "RUN bird: not found in "), ("", "RUN : matches 2 runs")],
)
def test_a_reference_that_is_not_one_run_says_which_there_are(tmp_path: Path, reference: str, says: str) -> None:
    store = RunStore(tmp_path)
    make(store, "cats", 9)
    dogs = make(store, "dogs", 1)
    with pytest.raises(ConfigError) as caught:
        store.find(reference)
    assert str(caught.value).startswith(says)
    assert dogs.name in str(caught.value)


def test_no_runs_at_all_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"RUN last: no runs in .*; start one with fxtui train CONFIG"):
        RunStore(tmp_path).find("last")


def test_a_run_is_locked_while_another_process_writes_to_it(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(CONFIG)
    code = (
        "import sys; from pathlib import Path; from fxtui.run.store import RunDirectory, RunLock\n"
        "lock = RunLock(RunDirectory(Path(sys.argv[1]))); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert run.is_locked()
        with pytest.raises(RunLockedError, match="another process is writing"):
            RunLock(run)
        other.kill()
    assert not run.is_locked()
    RunLock(run).release()


def test_who_asks_for_a_writer_is_not_taken_for_one(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(CONFIG)
    RunLock(run).release()
    with (run.path / ".lock").open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not run.is_locked()
        waker = threading.Timer(0.02, lambda: fcntl.flock(asking, fcntl.LOCK_UN))
        waker.start()
        RunLock(run).release()
        waker.join()


def test_asking_leaves_no_file(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(CONFIG)
    assert not run.is_locked()
    assert sorted(path.name for path in run.path.iterdir()) == [".lock", "config.toml"]


def test_a_lock_is_free_after_release_and_releasing_twice_is_harmless(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(CONFIG)
    lock = RunLock(run)
    assert run.is_locked()
    lock.release()
    lock.release()
    assert not run.is_locked()


def test_a_run_is_replayed_from_its_journal(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(CONFIG)
    with JournalWriter(run.journal) as journal:
        for event in whole_run():
            journal.append(event)
    assert run.load_state() == fold(whole_run())


def test_a_run_without_or_with_a_damaged_journal_says_so(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(CONFIG)
    with pytest.raises(ConfigError, match=r"has no events\.jsonl, so it is not a run"):
        run.load_state()
    run.journal.write_bytes(b"nonsense\n")
    with pytest.raises(ConfigError, match=r"events\.jsonl:1: not an event"):
        run.load_state()


def test_an_atomic_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]
