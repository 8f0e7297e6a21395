"""Checkpoints of whole runs: written beside the training, at any time, and never what ends it."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
import torch

from fxtui.bench.faults.inject import SHORT, Call, Fault, Faults
from fxtui.engine.checkpoints import writer as writer_module
from fxtui.engine.checkpoints.files import load_checkpoint, save_checkpoint
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from tests.engine.checkpoints.test_resume import figures, same, scheduled
from tests.engine.runs import Outcome, carry_out, go_on, tiny_config

FILES = ("model.safetensors", "state.pt", "info.json")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is kept is written as soon as it can be."""
    monkeypatch.setattr(writer_module, "_SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(writer_module, "_WRITE_SHARE", 1e9)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return carry_out(scheduled(), tmp_path_factory.mktemp("whole"))


def warnings(outcome: Outcome) -> list[str]:
    return [event.text for event in outcome.of(ev.RunWarning)]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("call", "error"), [("write", errno.ENOSPC), ("open", errno.EROFS), ("fsync", errno.EIO)])
def test_no_checkpoint_can_be_written_and_the_run_is_the_same(
    tmp_path: Path, whole: Outcome, name: str, call: Call, error: int
) -> None:
    with Faults(Fault(call, f"*/checkpoints/*/{name}", error)) as storage:
        outcome = carry_out(scheduled(), tmp_path)
    assert storage.struck > 1
    assert outcome.state.phase == "finished"
    assert figures(outcome) == figures(whole)
    (text,) = warnings(outcome)
    assert text == f"no checkpoint written: {os.strerror(error)}; there is none yet, and it is tried again"
    assert not outcome.of(ev.CheckpointSaved)
    assert [path.name for path in outcome.run.checkpoints.iterdir()] == []


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("times", range(1, 8))
def test_what_could_not_be_written_is_tried_again_and_is_the_same(tmp_path: Path, whole: Outcome, times: int) -> None:
    """Frozen tensors move between the first try and the one that succeeds."""
    with Faults(Fault("write", "*/checkpoints/*/state.pt", errno.ENOSPC, times=times)):
        outcome = carry_out(scheduled(), tmp_path)
    assert figures(outcome) == figures(whole)
    same(whole.run, outcome.run)
    (one, state, _), (other, others, _) = (load_checkpoint(run, "best") for run in (whole.run, outcome.run))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert state["progress"]["history"] == others["progress"]["history"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("fault", [Fault("write", "*/checkpoints/*", SHORT), Fault("fsync", "*", errno.EINVAL)])
def test_odd_storage_is_no_fault(tmp_path: Path, whole: Outcome, fault: Fault) -> None:
    with Faults(fault) as storage:
        outcome = carry_out(scheduled(), tmp_path)
    assert storage.struck
    assert warnings(outcome) == warnings(whole)
    same(whole.run, outcome.run)


def test_training_does_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first checkpoint is not finished before the second epoch is."""
    second_epoch = threading.Event()
    order: list[str] = []

    def slow(*args: object, **kwargs: object) -> int:
        order.append(threading.current_thread().name)
        assert second_epoch.wait(60)
        return save_checkpoint(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(writer_module, "save_checkpoint", slow)

    def watch(event: ev.Event) -> None:
        if isinstance(event, ev.EpochEnd) and event.epoch == 2:
            second_epoch.set()

    outcome = carry_out(tiny_config(), tmp_path, watch)
    assert outcome.state.phase == "finished"
    assert set(order) == {"fxtui-checkpoints"}
    ends = [type(event).__name__ for event in outcome.events if isinstance(event, ev.EpochEnd | ev.CheckpointSaved)]
    assert ends[:2] == ["EpochEnd", "EpochEnd"]


@pytest.mark.usefixtures("at_once")
def test_an_epoch_under_way_is_kept_now_and_then_and_gone_on_with(tmp_path: Path, whole: Outcome) -> None:
    often = "session.checkpoint_minutes=0.0000001"
    outcome = carry_out(scheduled(often), tmp_path)
    assert figures(outcome) == figures(whole)
    kept, at_ends = ({saved.step for saved in run.of(ev.CheckpointSaved)} for run in (outcome, whole))
    assert kept - at_ends
    for stop in range(2, 13, 3):
        stopped = carry_out(scheduled(often, stop=stop), tmp_path)
        resumed = go_on(stopped.run)
        assert figures(resumed) == figures(whole)
        same(whole.run, resumed.run)


def test_nothing_is_kept_in_between_where_that_is_off(tmp_path: Path) -> None:
    outcome = carry_out(tiny_config("session.checkpoint_minutes=0"), tmp_path)
    assert {saved.step % 8 for saved in outcome.of(ev.CheckpointSaved)} == {0}


def test_a_checkpoint_that_is_asked_for_and_cannot_be_written_is_refused(tmp_path: Path) -> None:
    def ask(event: ev.Event) -> cmd.AnyCommand | None:
        return cmd.Checkpoint() if isinstance(event, ev.CacheReady) else None

    with Faults(Fault("write", "*/checkpoints/*/info.json")):
        outcome = carry_out(tiny_config(), tmp_path, ask)
    (refused,) = outcome.of(ev.CommandRefused)
    assert refused.reason == "the checkpoint cannot be written now; it is tried again"


@pytest.mark.usefixtures("at_once")
def test_a_run_goes_on_from_best_where_last_is_damaged(tmp_path: Path, whole: Outcome) -> None:
    stopped = carry_out(scheduled(stop=9), tmp_path)
    (stopped.run.checkpoints / "last" / "state.pt").write_bytes(b"")
    resumed = go_on(stopped.run)
    assert warnings(resumed) == ["the last checkpoint is damaged: the run goes on from best"]
    (continued,) = resumed.of(ev.RunContinued)
    assert continued.exact
    assert continued.step in (4, 8)
    # It comes to the scheduled stop once more.
    resumed = go_on(stopped.run)
    assert not warnings(resumed)
    assert figures(resumed) == figures(whole)
    same(whole.run, resumed.run)


def test_where_there_are_no_more_threads_it_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Outcome
) -> None:
    start = threading.Thread.start

    def no_more(thread: threading.Thread) -> None:
        if thread.name == "fxtui-checkpoints":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", no_more)
    outcome = carry_out(scheduled(), tmp_path)
    same(whole.run, outcome.run)


@pytest.mark.usefixtures("at_once")
def test_where_there_is_an_earlier_one_it_is_said_to_stay(tmp_path: Path) -> None:
    # The first best and the first last are written.
    with Faults(Fault("open", "*/checkpoints/*/state.pt", errno.ENOSPC, after=2)) as storage:
        outcome = carry_out(scheduled(), tmp_path)
    assert storage.struck
    (text,) = warnings(outcome)
    assert text.endswith("; the earlier one stays, and it is tried again")
    assert len(outcome.of(ev.CheckpointSaved)) == 2
