"""When a run has something to say: by its events, and by a clock of the test's own."""

from __future__ import annotations

import pytest

from fxtui.protocol import events as ev
from fxtui.run.notices.occasions import STALL_SECONDS, STALL_TIMES, Notice, Occasions
from tests.run.samples import epoch, figures

GIB = 1 << 30


def batch(step: int, loss: float | None = 0.5) -> ev.BatchEnd:
    return ev.BatchEnd(epoch=1, step=step, batch=step, batches=1000, loss=loss, accuracy=0.5, lr=1e-3)


class Clock:
    """Looks every second, as the watcher does, and keeps what was said."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.said: list[Notice] = []
        self.occasions = Occasions(self.now)

    def take(self, event: ev.Event) -> None:
        self._keep(self.occasions.take(event, self.now))

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 1.0)
            self._keep(self.occasions.look(self.now))

    def train(self, batches: int, every: float) -> None:
        for step in range(1, batches + 1):
            self.wait(every)
            self.take(batch(step))

    @property
    def kinds(self) -> list[str]:
        return [notice.kind for notice in self.said]

    def _keep(self, notice: Notice | None) -> None:
        if notice:
            self.said.append(notice)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(("every", "stalls_after"), [(0.1, 60.0), (2.0, 60.0), (5.0, 100.0), (60.0, 1200.0)])
def test_a_run_stalls_by_its_own_pace(clock: Clock, every: float, stalls_after: float) -> None:
    assert stalls_after == max(STALL_SECONDS, STALL_TIMES * every)
    clock.train(10, every)
    clock.wait(stalls_after)
    assert clock.kinds == []
    clock.wait(2.0)
    assert clock.kinds == ["stalled"]


def test_it_says_so_once_and_again_when_it_stalls_again(clock: Clock) -> None:
    clock.train(10, 1.0)
    clock.wait(500.0)
    assert [notice.text for notice in clock.said] == ["stalled: no batch for 1m 01s, where one took 1.0 s"]
    clock.train(10, 1.0)
    clock.wait(100.0)
    assert clock.kinds == ["stalled", "stalled"]


def test_one_long_gap_does_not_make_it_patient(clock: Clock) -> None:
    clock.train(10, 1.0)
    clock.wait(50.0)
    clock.train(3, 1.0)
    assert clock.occasions.patience == STALL_SECONDS


@pytest.mark.parametrize(
    "waits",
    [
        ev.RunPaused(epoch=1, step=10),
        ev.RunHolding(epoch=1, step=10, reason="x", best=None, device="cpu", held_bytes=0, minutes=30.0),
        ev.RunFinished(status="finished", best=None, final=None, timings={}),
    ],
)
def test_who_waits_does_not_stall(clock: Clock, waits: ev.Event) -> None:
    clock.train(10, 1.0)
    clock.take(waits)
    clock.wait(9999.0)
    assert "stalled" not in clock.kinds


def test_without_a_pace_nothing_stalls(clock: Clock) -> None:
    clock.take(ev.RunStarted(name="x", version="0", epochs=1, config={}))
    clock.wait(9999.0)
    clock.train(3, 1.0)
    clock.take(ev.FreezeChanged(before=(), after=(), origin="x", text="x", epoch=1, step=1))
    clock.wait(9999.0)
    assert clock.kinds == []


def test_extraction_and_validation_are_work(clock: Clock) -> None:
    clock.train(10, 1.0)
    for done in range(9):
        clock.wait(50.0)
        clock.take(ev.ExtractionProgress(done=done, total=9, images_per_s=1.0))
        clock.wait(50.0)
        clock.take(ev.ValidationProgress(epoch=1, done=done, total=9))
    assert clock.kinds == []


def test_a_machine_that_slept_did_not_stall(clock: Clock) -> None:
    clock.train(10, 1.0)
    clock.now += 3600.0
    clock.wait(30.0)
    assert clock.kinds == []
    clock.wait(40.0)
    assert clock.kinds == ["stalled"]


def test_the_ends_of_a_run_are_told_with_their_event(clock: Clock) -> None:
    best = figures(epoch(4, 0.92))
    held = ev.RunHolding(epoch=5, step=125, reason="5 of 5 epochs", best=best, device="cpu", held_bytes=0, minutes=30.0)
    clock.take(held)
    ended = ev.RunFinished(status="finished", best=best, final=best, timings={})
    clock.take(ended)
    clock.take(ev.RunFinished(status="failed", best=None, final=None, timings={}, reason="loss is NaN at step 132"))
    clock.take(ev.RunFinished(status="stopped", best=None, final=None, timings={}))
    assert [(notice.kind, notice.text) for notice in clock.said] == [
        ("holding", "holding: 5 of 5 epochs, best 92.0% @4"),
        ("finished", "finished: best 92.0% @4"),
        ("failed", "failed: loss is NaN at step 132"),
        ("stopped", "stopped"),
    ]
    assert clock.said[0].event is held


def test_a_loss_that_is_no_number_is_told_once(clock: Clock) -> None:
    for loss in (0.5, None, None, 0.5, None):
        clock.take(batch(7, loss))
    assert [notice.text for notice in clock.said] == ["loss is no number at step 7"] * 2


def test_a_disk_that_fills_is_told_once_until_it_had_room_again() -> None:
    occasions = Occasions(0.0)

    def said(free: int) -> str:
        notice = occasions.look(1.0, free)
        return notice.text if notice else ""

    assert said(GIB) == ""
    assert said(200 << 20) == "the disk of this run is nearly full: 200.0 MiB left"
    assert said(100 << 20) == ""
    assert said(300 << 20) == ""
    assert said(GIB) == ""
    assert said(200 << 20) != ""


def test_how_much_room_is_little_depends_on_a_checkpoints_size() -> None:
    occasions = Occasions(0.0)
    saved = ev.CheckpointSaved(kind="last", path="x", epoch=1, step=1, val_accuracy=0.9, bytes=GIB)
    occasions.take(saved, 0.5)
    notice = occasions.look(1.0, 2 * GIB)
    assert notice is not None
    assert notice.kind == "disk"
