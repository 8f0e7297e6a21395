"""Whether a run's process lives, told from its pid, its lock and its beat."""

from __future__ import annotations

import os
from pathlib import Path

from fxtui.run.session.address import Address, inode_of, write_address
from fxtui.run.session.liveness import LifeWatch
from fxtui.run.store import RunDirectory, RunLock
from tests.run.session.scripted import made


def watched(tmp_path: Path, **fields: object) -> tuple[RunDirectory, RunLock]:
    run = made(tmp_path)
    known = {"path": "/nowhere", "host": os.uname().nodename, "pid": os.getpid(), "beat": 1.0, "version": "0"}
    import psutil

    known |= {"started": psutil.Process().create_time(), "inode": inode_of(run), **fields}
    write_address(run, Address(**known))  # type: ignore[arg-type]
    return run, RunLock(run)


def test_it_runs_is_silent_and_dies(tmp_path: Path) -> None:
    run, lock = watched(tmp_path)
    life = LifeWatch(run, 100.0)
    assert life.look(100.0, ended=False).status == "running"
    assert life.look(104.0, ended=False).status == "running"
    silent = life.look(120.0, ended=False)
    assert (silent.status, silent.seconds, silent.text) == ("silent", 20.0, "no news for 20.0 s")
    life.heard(121.0)
    assert life.look(122.0, ended=False).status == "running"
    assert life.look(122.0, ended=True).status == "ended"
    lock.release()
    assert life.look(122.0, ended=False).status == "dead"


def test_a_number_that_is_another_processs_by_now_is_dead(tmp_path: Path) -> None:
    run, lock = watched(tmp_path, started=5.0)
    assert LifeWatch(run, 0.0).look(0.0, ended=False).status == "dead"
    lock.release()


def test_elsewhere_a_beat_counts_and_no_clock_is_compared(tmp_path: Path) -> None:
    run, lock = watched(tmp_path, host="elsewhere", pid=1, started=0.0, beat=1e12)
    lock.release()
    life = LifeWatch(run, 0.0)
    assert life.look(1.0, ended=False).status == "running"
    assert life.look(30.0, ended=False).status == "dead"
    held = RunLock(run)
    assert life.look(30.0, ended=False).status == "silent"
    held.release()
