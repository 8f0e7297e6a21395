"""Locks, above all where the file system knows none."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fxtui.machine.processes import host_name, is_alive, start_mark
from fxtui.run.lock import FileLock, HeldElsewhereError, is_held

_WITHOUT_FLOCK = """
import errno, fcntl, sys
from pathlib import Path
from fxtui.run.lock import FileLock
def flock(file, how): raise OSError(int(sys.argv[2]), "no locks")
fcntl.flock = flock
lock = FileLock(Path(sys.argv[1])); print("held", flush=True); sys.stdin.read()
"""


def no_flock(monkeypatch: pytest.MonkeyPatch, error: int = errno.ENOLCK) -> None:
    def flock(_file: int, _how: int) -> None:
        raise OSError(error, "no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOSYS, 524, errno.EOPNOTSUPP])
def test_without_flock_one_process_holds_it_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    no_flock(monkeypatch, error)
    path = tmp_path / ".lock"
    lock = FileLock(path)
    assert is_held(path)
    with pytest.raises(HeldElsewhereError, match="another process is writing to this run"):
        FileLock(path)
    assert is_held(path)
    lock.release()
    lock.release()
    assert not is_held(path)
    FileLock(path).release()
    assert [entry.name for entry in tmp_path.iterdir()] == [".lock"]


def test_one_that_holds_it_without_flock_is_seen_by_one_that_has_flock(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", _WITHOUT_FLOCK, str(path), str(errno.ENOLCK)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert is_held(path)
        with pytest.raises(HeldElsewhereError):
            FileLock(path)
        other.kill()
    assert not is_held(path)
    FileLock(path).release()


def test_one_whose_process_was_killed_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_flock(monkeypatch)
    path = tmp_path / ".lock"
    stand_in = tmp_path / ".lock.held"
    stand_in.write_bytes(msgspec.json.encode({"host": host_name(), "pid": gone(), "started": "x"}))
    assert not is_held(path)
    lock = FileLock(path)
    assert is_held(path)
    lock.release()


def test_a_number_that_another_process_has_now_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_flock(monkeypatch)
    path = tmp_path / ".lock"
    path.touch()
    stand_in = tmp_path / ".lock.held"
    record = {"host": host_name(), "pid": os.getpid(), "started": "long ago"}
    stand_in.write_bytes(msgspec.json.encode(record))
    assert not is_held(path)
    stand_in.write_bytes(msgspec.json.encode(record | {"started": start_mark(os.getpid())}))
    assert is_held(path)


def test_of_another_machine_it_is_believed_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_flock(monkeypatch)
    path = tmp_path / ".lock"
    path.touch()
    stand_in = tmp_path / ".lock.held"
    stand_in.write_bytes(msgspec.json.encode({"host": "elsewhere/7", "pid": 12, "started": "x"}))
    assert is_held(path)
    with pytest.raises(HeldElsewhereError, match=r": 12 on elsewhere; if that is gone, remove .*\.lock\.held"):
        FileLock(path)
    assert stand_in.exists()


def test_one_torn_in_the_making_holds_for_a_moment_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_flock(monkeypatch)
    path = tmp_path / ".lock"
    path.touch()
    stand_in = tmp_path / ".lock.held"
    stand_in.write_bytes(b'{"host":')
    assert is_held(path)
    os.utime(stand_in, (1e9, 1e9))
    assert not is_held(path)
    FileLock(path).release()
    assert not stand_in.exists()


def test_without_links_either_it_is_held_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_flock(monkeypatch)

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    path = tmp_path / ".lock"
    lock = FileLock(path)
    with pytest.raises(HeldElsewhereError):
        FileLock(path)
    lock.release()
    assert not is_held(path)


def test_a_process_is_told_from_others() -> None:
    assert is_alive(os.getpid())
    assert not is_alive(gone())
    assert not is_alive(0)
    assert not is_alive(2**70)
    assert start_mark(os.getpid()) == start_mark(os.getpid()) != ""
    assert start_mark(gone()) == ""
