"""The watcher and the user's command: what it is given, and that nothing it does is the run's trouble."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fxtui.config import SessionConfig, parse_config
from fxtui.protocol import events as ev
from fxtui.run.notices.command import run_command
from fxtui.run.notices.occasions import Notice
from fxtui.run.notices.watcher import RunWatcher
from fxtui.run.store import RunDirectory
from tests.run.samples import opening, stamped

HELD = ev.RunHolding(epoch=2, step=50, reason="2 of 2 epochs", best=None, device="cpu", held_bytes=1, minutes=30.0)
ENDED = ev.RunFinished(status="failed", best=None, final=None, timings={}, reason="loss is NaN")


def ran(command: str, given: bytes = b"{}\n", limit: float = 5.0) -> list[str]:
    said: list[str] = []
    run_command(command, given, {"FXTUI_NOTICE": "holding"}, said.append, limit)
    return said


def test_a_command_is_given_the_event_and_a_name_for_it() -> None:
    assert ran("cat; echo $FXTUI_NOTICE", b'{"type":"run_holding"}\n') == [
        'session.notify: {"type":"run_holding"}',
        "session.notify: holding",
    ]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("true", []),
        ("exit 3", ["exit status 3"]),
        ("kill -9 $$", ["exit status -9"]),
        ("echo no >&2; false", ["no", "exit status 1"]),
        ("printf 'a\\377b'", ["a\ufffdb"]),
        ("sleep 60 & echo started", ["started"]),
        ("exec <&-; sleep 0.2; echo read nothing", ["read nothing"]),
        ("sleep 60", ["ended after 0.5 s, its time limit"]),
        ("trap '' TERM INT; sleep 60", ["ended after 0.5 s, its time limit"]),
    ],
)
def test_whatever_it_does_is_said_and_waited_for_no_longer_than_the_limit(command: str, says: list[str]) -> None:
    began = time.monotonic()
    assert ran(command, bytes(1 << 20), 0.5) == [f"session.notify: {text}" for text in says]
    assert time.monotonic() - began < 3.0


def test_a_flood_is_cut() -> None:
    said = ran("yes", limit=0.3)
    assert said[:2] == ["session.notify: y"] * 2
    assert len(said) == 22
    assert "more lines" in said[-2]


def test_it_is_no_child_of_the_terminal() -> None:
    (own,) = ran("ps -o pgid= -p $$")
    assert int(own.rpartition(" ")[2]) != os.getpgrp()


def test_none_at_all_is_said() -> None:
    said = ran("nothing-of-this-name")
    assert "not found" in said[0]
    assert said[1:] == ["session.notify: exit status 127"]


class Watched:
    """A watcher of a run, and what it told and logged."""

    def __init__(self, root: Path, notify: str = "") -> None:
        self.told: list[Notice] = []
        self.logged: list[str] = []
        self.watcher = RunWatcher(
            RunDirectory(root), SessionConfig(notify=notify), self.told.append, self.logged.append, 0.02
        )

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_the_command_is_run_when_it_holds_and_when_it_ends(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    watched = Watched(tmp_path, f"cat >> {out}; echo $FXTUI_TEXT of $FXTUI_RUN")
    for event in stamped([*opening(), HELD]):
        watched.watcher.take(event)
    watched.until(lambda: len(watched.logged) == 1)
    watched.watcher.take(ENDED)
    watched.watcher.close()
    assert [json.loads(line)["type"] for line in out.read_text().splitlines()] == ["run_holding", "run_finished"]
    assert watched.logged == [
        f"session.notify: holding: 2 of 2 epochs of {tmp_path}",
        f"session.notify: failed: loss is NaN of {tmp_path}",
    ]


def test_one_at_a_time_and_the_end_is_not_lost(tmp_path: Path) -> None:
    out = tmp_path / "out"
    watched = Watched(
        tmp_path,
        f"test -e {out}.busy && echo two; touch {out}.busy; sleep 0.2; rm {out}.busy; echo $FXTUI_NOTICE >> {out}",
    )
    for event in (HELD, ev.RunResumed(epoch=3, step=50), HELD, HELD, HELD, HELD, HELD, HELD, ENDED):
        watched.watcher.take(event)
    watched.watcher.close()
    assert out.read_text().split()[-1] == "failed"
    assert len(out.read_text().split()) <= 3
    assert watched.logged == []


def test_without_a_command_it_is_told_all_the_same(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.watcher.take(HELD)
    watched.watcher.close()
    assert [notice.kind for notice in watched.told] == ["holding"]


def test_taking_an_event_does_not_wait_for_a_slow_command(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "sleep 1")
    began = time.monotonic()
    for _ in range(1000):
        watched.watcher.take(HELD)
    assert time.monotonic() - began < 0.5
    watched.watcher.close()


def test_the_keys_are_checked() -> None:
    config = parse_config({"data": {"source": "digits"}, "session": {"notify": "notify-send done", "bell": True}}, [])
    assert (config.session.notify, config.session.bell) == ("notify-send done", True)
