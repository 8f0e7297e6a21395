"""A run in a few words: golden texts, and nothing in them that a terminal would obey."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from fxtui.protocol import events as ev
from fxtui.run.notices.words import running_line, set_title, summary_line, title
from fxtui.run.state import RunState, fold
from fxtui.run.store import RunDirectory
from fxtui.run.summary import summary_of
from tests.run.samples import opening, stamped, trained

HELD = ev.RunHolding(epoch=2, step=50, reason="2 of 2 epochs", best=None, device="cpu", held_bytes=1, minutes=30.0)


def ended(status: ev.RunStatus, reason: str = "") -> ev.RunFinished:
    return ev.RunFinished(status=status, best=None, final=None, timings={}, reason=reason)


def state_of(*events: ev.Event, planned: int = 50) -> RunState:
    return fold(stamped([*opening(planned), *events]))


TWO = [*trained(1, 0.9, best=True, seconds=2.18), *trained(2, 0.935, best=True, seconds=2.18)]


@pytest.mark.parametrize(
    ("events", "status", "line", "window"),
    [
        (TWO, "running", "2/50 93.5% 2.2 s/epoch left 1m 45s", "2/50 93.5% fxtui"),
        ([*TWO, *trained(3, 0.9)[:1]], "running", "3/50 93.5% 2.2 s/epoch left 1m 44s", "3/50 93.5% fxtui"),
        ([*TWO, *trained(3, 0.9)[:1]], "interrupted", "interrupted 2/50 93.5%", "3/50 93.5% fxtui"),
        ([*TWO, ev.RunPaused(epoch=3, step=50)], "running", "paused 2/50 93.5% 2.2 s/epoch", "paused 2/50 93.5% fxtui"),
        ([*TWO, HELD], "holding", "holding 2/50 93.5%", "holding 2/50 93.5% fxtui"),
        ([*TWO, HELD], "finished", "finished 2/50 93.5%", "holding 2/50 93.5% fxtui"),
        ([*TWO, ended("finished")], "finished", "finished 2/50", "finished 2/50 93.5% fxtui"),
        ([*TWO, ended("failed", "loss is NaN")], "failed", "failed: loss is NaN", "failed 2/50 93.5% fxtui"),
        ([*TWO, ended("failed", "a\x1b[31m\nb")], "failed", "failed: a [31m b", "failed 2/50 93.5% fxtui"),
        ([ended("stopped", "before training began")], "stopped", "stopped 0/50", "stopped 0/50 fxtui"),
        ([ev.ExtractionProgress(done=640, total=1000, images_per_s=300.0)], "running",
         "extracting 640/1,000 300 img/s left 1.2 s", "0/50 fxtui"),
        ([ev.ExtractionProgress(done=0, total=1000, images_per_s=0.0)], "running", "extracting 0/1,000", "0/50 fxtui"),
    ],
)  # fmt: skip
def test_golden(events: list[ev.Event], status: str, line: str, window: str) -> None:
    state = state_of(*events)
    summary = summary_of(state, RunDirectory(Path("x")), locked=status in ("running", "holding"))
    assert summary.status == status
    assert (running_line(state) if status == "running" else summary_line(summary)) == line
    assert title(state) == window


def test_a_run_that_just_begins() -> None:
    assert running_line(RunState()) == "starting"
    assert running_line(fold(stamped(opening()[:2]))) == "loading"
    assert title(RunState()) == "fxtui"


def test_a_title_is_set_by_osc_2_and_cannot_be_broken_out_of() -> None:
    assert set_title("12/50 93.5% fxtui") == "\x1b]2;12/50 93.5% fxtui\x1b\\"
    assert set_title("a\x07b\x1b\\c\x9cd\u202ee") == "\x1b]2;a b \\c d e\x1b\\"
    assert len(set_title("x" * 9999)) < 300


def test_a_slow_epoch_is_told_in_minutes() -> None:
    end = replace(trained(1, 0.9, best=True)[3], seconds=70.0)
    assert running_line(state_of(end, planned=3)) == "1/3 90.0% 1m 10s/epoch left 2m 20s"
