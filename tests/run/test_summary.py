"""What is said of a run in every situation, and that all who say it agree."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fxtui.cli.main import main
from fxtui.config import parse_config
from fxtui.protocol import events as ev
from fxtui.run import store
from fxtui.run.catalogue import Catalogue
from fxtui.run.journal import JournalWriter, read_journal
from fxtui.run.nearby import look_around
from fxtui.run.state import fold
from fxtui.run.store import RunDirectory, RunLock, RunStore
from fxtui.run.summary import read_summary, summarise, write_summary
from tests.run.samples import going_on, opening, stamped, trained, whole_run

KILLED = stamped([*opening(), *trained(1, 0.85, best=True)])


def ended(status: ev.RunStatus, reason: str = "") -> list[ev.Event]:
    """A run of one epoch that ended so."""
    end = ev.RunFinished(status=status, best=None, final=None, timings={}, reason=reason)
    return stamped([*opening(), *trained(1, 0.85, best=True), end])


def nothing(_run: RunDirectory) -> None:
    pass


def no_summary(run: RunDirectory) -> None:
    run.summary.unlink()


def no_journal(run: RunDirectory) -> None:
    run.journal.unlink()


def no_config(run: RunDirectory) -> None:
    run.config.write_text("nonsense")


def half_a_summary(run: RunDirectory) -> None:
    run.summary.write_text('{"status": "failed"}')


def stale(run: RunDirectory) -> None:
    """The journal is written to a second after the summary."""
    at = run.summary.stat().st_mtime_ns + 10**9
    os.utime(run.journal, ns=(at, at))


def torn(run: RunDirectory) -> None:
    """The end is lost after the summary was written."""
    run.journal.write_bytes(run.journal.read_bytes()[:-7])
    stale(run)


def broken(run: RunDirectory) -> None:
    """A line in the middle is no event."""
    first, *rest = run.journal.read_bytes().splitlines(keepends=True)
    run.journal.write_bytes(b"".join([first, b"nonsense\n", *rest]))
    if run.summary.exists():
        stale(run)


def a_folder(run: RunDirectory) -> None:
    """Where the journal should be, and cannot be read."""
    run.journal.unlink(missing_ok=True)
    run.journal.mkdir()


@dataclass(frozen=True)
class Situation:
    """What the engine left, what became of it, who holds the lock, and what is to be said."""

    events: list[ev.Event]
    become: Callable[[RunDirectory], None]
    locked: bool
    status: str
    reason: str = ""


SITUATIONS = {
    "finished": Situation(ended("finished"), nothing, False, "finished"),
    "stopped": Situation(ended("stopped", "by ctrl+c"), nothing, False, "stopped", "by ctrl+c"),
    "failed": Situation(ended("failed", "loss is NaN"), nothing, False, "failed", "loss is NaN"),
    "killed": Situation(KILLED, nothing, False, "interrupted"),
    "killed at once": Situation([], nothing, False, "interrupted"),
    "trains": Situation(KILLED, nothing, True, "running"),
    "begins": Situation([], nothing, True, "running"),
    "begins, no journal yet": Situation([], no_journal, True, "running"),
    "has ended, lock not yet given back": Situation(ended("finished"), nothing, True, "finished"),
    "has ended, no summary yet": Situation(ended("stopped"), no_summary, True, "stopped"),
    "killed before its summary": Situation(ended("failed", "x"), no_summary, False, "failed", "x"),
    "summary of another hand": Situation(ended("finished"), half_a_summary, False, "finished"),
    "goes on": Situation(stamped([*ended("finished"), *going_on(2, 25, 5)]), no_summary, True, "running"),
    "goes on, killed": Situation(stamped([*ended("stopped"), *going_on(2, 25, 5)]), no_summary, False, "interrupted"),
    "summary older than the journal": Situation(ended("finished"), stale, False, "finished"),
    "journal torn": Situation(ended("finished"), torn, False, "interrupted"),
    "configuration damaged, ended": Situation(ended("finished"), no_config, False, "finished"),
    "configuration damaged, killed": Situation(KILLED, no_config, False, "interrupted"),
    "journal damaged": Situation(KILLED, broken, False, "damaged", "events.jsonl:2: not an event"),
    "journal damaged after its end": Situation(ended("stopped"), broken, False, "damaged", "events.jsonl:2: not an"),
    "journal damaged, locked": Situation(KILLED, broken, True, "running"),
    "journal lost": Situation(KILLED, no_journal, False, "damaged", "has no events.jsonl"),
    "journal lost after its end": Situation(ended("finished"), no_journal, False, "damaged", "has no events.jsonl"),
    "journal cannot be read": Situation(KILLED, a_folder, False, "damaged", "cannot be read: Is a directory"),
}


def make(root: Path, situation: Situation) -> RunDirectory:
    """The run as it lies on disk in a situation."""
    run = RunStore(root).create(parse_config({"name": "x", "data": {"source": "digits"}}, []))
    with JournalWriter(run.journal) as journal:
        for event in situation.events:
            journal.append(event)
    if any(isinstance(event, ev.RunFinished) for event in situation.events):
        write_summary(run, fold(situation.events))
    situation.become(run)
    return run


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_all_say_the_same_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], situation: Situation) -> None:
    run = make(tmp_path, situation)
    lock = RunLock(run) if situation.locked else None
    (in_the_list,) = RunStore(tmp_path).list()
    assert main(["runs", "--runs", str(tmp_path), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    shown = main(["show", "last", "--runs", str(tmp_path), "--json"])
    out, err = capsys.readouterr()
    (entry,) = Catalogue(tmp_path).entries()
    (past,) = look_around(tmp_path, tmp_path).runs
    summary = read_summary(in_the_list)
    if lock:
        lock.release()

    said = {summary.status, listed["status"], entry.status, past.summary.status}
    assert said == {situation.status}
    for reason in (summary.reason, listed["reason"], entry.reason, past.summary.reason):
        assert situation.reason in reason
        assert bool(situation.reason) == bool(reason)
    # A run without a journal that can be read is not shown; one line says why.
    if shown == 0:
        assert json.loads(out)["status"] == situation.status
    else:
        assert situation.become in (no_journal, broken, a_folder)
        assert (shown, len(err.splitlines())) == (2, 1)


@pytest.mark.parametrize("name", ["finished", "stopped", "failed"])
def test_the_summary_says_what_the_journal_says(tmp_path: Path, name: str) -> None:
    run = make(tmp_path, SITUATIONS[name])
    quick = read_summary(run)
    run.summary.unlink()
    assert read_summary(run) == quick


def test_of_an_ended_run_no_journal_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(path: Path) -> object:
        read.append(path.parent.name)
        return read_journal(path)

    monkeypatch.setattr(store, "read_journal", counted)
    whole = RunStore(tmp_path).create(parse_config({"name": "whole", "data": {"source": "digits"}}, []))
    with JournalWriter(whole.journal) as journal:
        for event in whole_run():
            journal.append(event)
    write_summary(whole, fold(whole_run()))
    killed = make(tmp_path, SITUATIONS["killed"])
    assert len(look_around(tmp_path, tmp_path).runs) == 2
    assert read == [killed.name]
    read.clear()
    assert main(["runs", "--runs", str(tmp_path)]) == 0
    assert read == [killed.name]


@pytest.mark.parametrize(
    ("name", "epochs", "saved", "locked", "resumable"),
    [
        ("killed", 5, True, False, True),
        ("killed", 5, False, False, False),
        ("killed", 5, True, True, False),
        ("stopped", 5, True, False, True),
        ("finished", 1, True, False, False),
        # Its epochs were all done, and it has been given more.
        ("finished", 5, True, False, True),
        ("finished", 5, True, True, False),
        ("configuration damaged, killed", 5, True, False, False),
    ],
)
def test_one_can_go_on_with_a_run_that_has_a_checkpoint_and_something_left_to_do(
    tmp_path: Path, name: str, epochs: int, saved: bool, locked: bool, resumable: bool
) -> None:
    run = make(tmp_path, SITUATIONS[name])
    if run.config.read_text() != "nonsense":
        run.config.write_text(f'[data]\nsource = "digits"\n[train]\nepochs = {epochs}\n')
    if saved:
        (run.checkpoints / "last").mkdir(parents=True)
    lock = RunLock(run) if locked else None
    (past,) = look_around(tmp_path, tmp_path).runs
    if lock:
        lock.release()
    assert past.resumable == resumable
    assert bool(past.fault) == (past.config is None)


def test_the_summary_holds_what_a_list_needs(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(parse_config({"name": "x", "data": {"source": "digits"}}, []))
    write_summary(run, fold(whole_run()))
    record = json.loads(run.summary.read_bytes())
    assert record["status"] == "finished"
    assert record["best"]["val_accuracy"] == 0.93
    assert (record["backbone"], record["train_images"], record["val_images"]) == ("resnet18", 800, 200)
    assert (record["epochs"], record["steps"], record["skipped_files"]) == (3, 75, 2)


def test_a_run_without_an_end_is_interrupted_in_its_summary() -> None:
    record = summarise(fold(stamped(opening())))
    assert (record["status"], record["best"], record["epochs"]) == ("interrupted", None, 0)
    assert summarise(fold([ev.RunStarted(name="x", version="0", epochs=1, config={})]))["backbone"] is None
