"""How files are written: whole or not at all, and for whose eyes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fxtui.bench.faults.inject import SHORT, Call, Fault, Faults
from fxtui.config import ConfigError, parse_config, to_short_toml
from fxtui.protocol import events as ev
from fxtui.run.config_files import write_config
from fxtui.run.journal import JournalWriter
from fxtui.run.session.link import EngineLink
from fxtui.run.session.local import LocalSession
from fxtui.run.storage import sync_file, sync_folder, write_atomically
from fxtui.run.store import RunDirectory, RunLock, RunStore

CONFIG = parse_config({"data": {"source": "digits"}}, [])
SHARED = parse_config({"data": {"source": "digits"}, "session": {"share": True}}, [])


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def end(link: EngineLink) -> None:
    link.emit(ev.RunFinished(status="finished", best=None, final=None, timings={}))


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_a_run_is_its_owners_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    (tmp_path / "runs").mkdir()
    with umask(mask):
        run = RunStore(tmp_path / "runs").create(CONFIG)
        session = LocalSession(run, end)
        session.start()
        session.join()
    assert mode(run.path) == 0o700
    assert {path.name: oct(mode(path)) for path in run.path.iterdir()} == dict.fromkeys(
        ("config.toml", "events.jsonl", "summary.json", ".lock"), "0o600"
    )


@pytest.mark.parametrize(
    ("mask", "folder", "file"), [(0o022, 0o750, 0o640), (0o002, 0o770, 0o660), (0o077, 0o700, 0o600)]
)
def test_a_run_that_is_shared_has_what_the_umask_leaves_its_group(
    tmp_path: Path, mask: int, folder: int, file: int
) -> None:
    with umask(mask):
        run = RunStore(tmp_path / "runs").create(SHARED)
        session = LocalSession(run, end)
        session.start()
        session.join()
    assert mode(run.path) == folder
    assert {oct(mode(path)) for path in run.path.iterdir()} == {oct(file)}


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_what_cannot_be_written_whole_leaves_what_was_there(tmp_path: Path, call: Call, error: int) -> None:
    path = tmp_path / "summary.json"
    write_atomically(path, b"old")
    with Faults(Fault(call, "*.tmp", error)), pytest.raises(OSError, match=os.strerror(error)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_a_short_write_is_gone_on_with(tmp_path: Path) -> None:
    with Faults(Fault("write", "*.tmp", SHORT)):
        write_atomically(tmp_path / "summary.json", b"0123456789")
    assert (tmp_path / "summary.json").read_bytes() == b"0123456789"


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_that_cannot_wait_for_the_disk_is_no_error(tmp_path: Path, error: int) -> None:
    with Faults(Fault("fsync", "*", error)), (tmp_path / "file").open("wb") as file:
        sync_file(file.fileno())
        sync_folder(tmp_path)


@pytest.mark.parametrize("call", ["open", "write"])
def test_a_run_that_cannot_be_made_is_one_line_and_leaves_nothing(tmp_path: Path, call: Call) -> None:
    with Faults(Fault(call, "*config.toml*")), pytest.raises(ConfigError, match="cannot be written: No space left"):
        RunStore(tmp_path).create(CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(CONFIG)
    with Faults(Fault("open", "*/.lock", errno.EROFS)), pytest.raises(ConfigError, match=r"\.lock: cannot be written"):
        RunLock(run)


def test_a_summary_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(CONFIG)
    with Faults(Fault("write", "*/.summary*")):
        session = LocalSession(run, end)
        session.start()
        session.join()
    assert isinstance(session.events()[-1], ev.RunFinished)
    assert run.load_state().phase == "finished"
    assert not run.summary.exists()


def test_what_a_killed_run_left_half_written_goes_when_it_goes_on(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(CONFIG)
    with JournalWriter(run.journal) as journal:
        journal.append(ev.RunWarning(text="x", seq=0))
    left = [run.path / ".summary.json.tmp", run.path / ".config.toml.tmp", run.summary]
    for path in left:
        path.write_bytes(b"{")
    session = LocalSession(run, lambda _: None)
    assert not any(path.exists() for path in left)
    session.start()
    session.join()
    assert RunDirectory(run.path).load_config() == CONFIG


def test_half_a_configuration_is_none(tmp_path: Path) -> None:
    with (
        Faults(Fault("write", "*.toml")),
        pytest.raises(ConfigError, match=r"digits\.toml: cannot be written"),
    ):
        write_config(CONFIG, tmp_path)
    assert list(tmp_path.iterdir()) == []
    with Faults(Fault("write", "*.toml", SHORT)):
        assert write_config(CONFIG, tmp_path).read_text() == to_short_toml(CONFIG)
