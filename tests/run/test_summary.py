"""What is said of a run in every situation, and that all who say it agree."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fxtui.cli.main import main
from fxtui.config import parse_config
from fxtui.protocol import events as ev
from fxtui.run.catalogue import Catalogue
from fxtui.run.journal import JournalWriter
from fxtui.run.nearby import look_around
from fxtui.run.progress import ProgressReader
from fxtui.run.removal import remove_run
from fxtui.run.state import RunState, fold
from fxtui.run.store import RunDirectory, RunLock, RunStore
from fxtui.run.summary import Summaries, progress_of, read_summary, summarise, where_it_runs, write_summary
from tests.run.samples import going_on, opening, stamped, trained, whole_run

HELD = ev.RunHolding(
    epoch=1, step=25, reason="1 of 1 epochs", best=None, device="cpu", held_bytes=1 << 20, minutes=30.0
)
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
    "holds": Situation(stamped([*KILLED, HELD]), nothing, True, "holding", "1 of 1 epochs"),
    "held, and its process is gone": Situation(stamped([*KILLED, HELD]), nothing, False, "finished", "1 of 1 epochs"),
    "held and went on": Situation(stamped([*KILLED, HELD, ev.RunResumed(epoch=2, step=25)]), nothing, True, "running"),
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

    poll = ProgressReader.poll

    def counted(self: ProgressReader) -> RunState:
        read.append(self.path.name)
        return poll(self)

    monkeypatch.setattr(ProgressReader, "poll", counted)
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


def test_what_has_not_ended_tells_how_far_it_is_and_which_process_has_it(tmp_path: Path) -> None:
    run = make(tmp_path, SITUATIONS["killed"])
    summary = read_summary(run)
    assert (summary.epochs_done, summary.epochs_planned, summary.best_accuracy, summary.pid) == (1, 3, 0.85, 7)
    assert progress_of(summary) == "1 of 3 epochs"
    assert where_it_runs(summary) == "pid 7"
    assert where_it_runs(replace(summary, host="box-7")) == "pid 7 on box-7"
    assert where_it_runs(replace(summary, pid=0)) == "another process"
    (past,) = look_around(tmp_path, tmp_path).runs
    assert not past.attachable
    lock = RunLock(run)
    (past,) = look_around(tmp_path, tmp_path).runs
    assert past.attachable
    assert (past.summary.epochs_done, past.summary.best_accuracy, past.summary.pid) == (1, 0.85, 7)
    lock.release()
    ended = read_summary(make(tmp_path, SITUATIONS["finished"]))
    assert (ended.pid, ended.host) == (0, "")


def test_a_run_that_goes_on_is_another_process(tmp_path: Path) -> None:
    went_on = ev.RunContinued(epoch=2, step=25, epochs=9, pid=4711, host="box-7")
    summary = read_summary(make(tmp_path, Situation(stamped([*KILLED, went_on]), nothing, False, "interrupted")))
    assert (summary.pid, summary.host, summary.epochs_planned) == (4711, "box-7", 9)


def test_summaries_follow_a_run_and_read_others_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    poll = ProgressReader.poll

    def counted(self: ProgressReader) -> RunState:
        read.append(self.path.name)
        return poll(self)

    monkeypatch.setattr(ProgressReader, "poll", counted)
    make(tmp_path, SITUATIONS["finished"])
    run = make(tmp_path, SITUATIONS["killed"])
    lock = RunLock(run)
    summaries = Summaries(tmp_path)
    assert [summary.status for summary in summaries.read()] == ["finished", "running"]
    assert [summary.status for summary in summaries.read()] == ["finished", "running"]
    assert read == [run.name]
    with JournalWriter(run.journal) as journal:
        for event in stamped([*trained(2, 0.9, best=True), HELD], time.time()):
            journal.append(event)
    held = summaries.read()[1]
    assert (held.status, held.epochs_done, held.best_accuracy) == ("holding", 2, 0.9)
    lock.release()
    assert summaries.read()[1].status == "finished"
    remove_run(run)
    assert len(summaries.read()) == 1
