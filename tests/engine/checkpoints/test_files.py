"""Checkpoints on storage that fails, and what a resume makes of what is left."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fxtui.bench.faults.inject import SHORT, Call, Fault, Faults
from fxtui.config import ConfigError
from fxtui.engine.checkpoints.files import (
    CheckpointInfo,
    load_checkpoint,
    load_newest,
    save_checkpoint,
    sweep,
)
from fxtui.engine.checkpoints.tensor_files import is_whole, read_tensors, write_tensors
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.run.storage import written_file
from fxtui.run.store import RunDirectory, RunStore
from tests.engine.runs import tiny_config

FILES = ("model.safetensors", "state.pt", "info.json")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunStore(tmp_path).create(tiny_config())


def info(step: int) -> CheckpointInfo:
    preprocessing = Preprocessing(resize=32, crop=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    return CheckpointInfo(epoch=1, step=step, val_accuracy=None, classes=("a", "b"), preprocessing=preprocessing)


def save(run: RunDirectory, step: int, kind: str = "last") -> int:
    tensors = {"w": torch.full((300, 7), float(step)), "n": torch.tensor(step)}
    return save_checkpoint(run, kind, tensors, {"step": step, "moments": torch.ones(9)}, info(step))


def step_of(run: RunDirectory, kind: str = "last") -> int:
    tensors, state, found = load_checkpoint(run, kind)
    assert state["step"] == found.step == int(tensors["n"])
    assert torch.equal(tensors["w"], torch.full((300, 7), float(found.step)))
    return found.step


def several() -> dict[str, Tensor]:
    dtypes = (torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool)
    found = {f"t{at}": torch.arange(at * 3).reshape(3, at).to(dtype) for at, dtype in enumerate(dtypes)}
    shared = torch.randn(4, 6)
    return found | {"scalar": torch.tensor(3), "one": shared, "other": shared, "turned": shared.t()}


def test_the_format_is_that_of_safetensors(tmp_path: Path) -> None:
    with written_file(tmp_path / "ours") as file:
        write_tensors(file, several())
    save_file(
        {name: tensor.clone().contiguous() for name, tensor in several().items() if name[0] == "t"}, tmp_path / "x"
    )
    assert is_whole(tmp_path / "ours")
    assert is_whole(tmp_path / "x")
    torch.manual_seed(0)
    with written_file(tmp_path / "ours") as file:
        write_tensors(file, expected := several())
    for found in (load_file(tmp_path / "ours"), read_tensors(tmp_path / "ours")):
        assert found.keys() == expected.keys()
        assert all(
            torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in expected.items()
        )


def test_no_cut_file_is_whole(tmp_path: Path) -> None:
    with written_file(tmp_path / "ours") as file:
        write_tensors(file, {"w": torch.ones(3, 3)})
    content = (tmp_path / "ours").read_bytes()
    for end in range(len(content)):
        (tmp_path / "cut").write_bytes(content[:end])
        assert not is_whole(tmp_path / "cut")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("call", ["open", "write", "fsync"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_what_cannot_be_written_leaves_the_earlier_one(run: RunDirectory, name: str, call: Call, error: int) -> None:
    save(run, 1)
    if (call, error) == ("fsync", errno.EROFS):
        return
    with Faults(Fault(call, f"*/{name}", error)), pytest.raises(OSError, match=os.strerror(error)):
        save(run, 2)
    assert step_of(run) == 1
    assert [path.name for path in run.checkpoints.iterdir()] == ["last"]
    save(run, 3)
    assert step_of(run) == 3


@pytest.mark.parametrize("after", [0, 1])
def test_a_rename_that_fails_leaves_the_earlier_one(run: RunDirectory, after: int) -> None:
    save(run, 1)
    with (
        Faults(Fault("rename", "*/checkpoints/*", errno.EIO, after=after, times=1)),
        pytest.raises(OSError, match="output error"),
    ):
        save(run, 2)
    assert step_of(run) == 1
    assert (run.checkpoints / "last").is_dir()


def test_short_writes_are_gone_on_with(run: RunDirectory) -> None:
    with Faults(Fault("write", "*/checkpoints/*", SHORT)) as faults:
        save(run, 1)
    assert faults.struck
    assert step_of(run) == 1


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_that_cannot_wait_for_the_disk_is_no_error(run: RunDirectory, error: int) -> None:
    with Faults(Fault("fsync", "*", error)):
        save(run, 1)
    assert step_of(run) == 1


def test_directories_that_cannot_be_waited_for_are_no_error(run: RunDirectory) -> None:
    with Faults(Fault("fsync", "*/checkpoints", errno.EIO), Fault("fsync", "*/.last.new", errno.EIO)):
        save(run, 1)
    assert step_of(run) == 1


@pytest.mark.parametrize("mask", [0o000, 0o777])
def test_it_is_its_owners_alone(run: RunDirectory, mask: int) -> None:
    before = os.umask(mask)
    try:
        save(run, 1)
    finally:
        os.umask(before)
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in run.checkpoints.rglob("*")}
    assert modes == {"last": "0o700", **dict.fromkeys(FILES, "0o600")}
    assert stat.S_IMODE(run.checkpoints.stat().st_mode) == 0o700


def damage(run: RunDirectory, kind: str, name: str, how: str) -> None:
    path = run.checkpoints / kind / name
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "junk": b"\xff" * len(content)}[how])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["gone", "empty", "cut", "junk"])
def test_where_last_is_damaged_the_best_is_gone_on_from(run: RunDirectory, name: str, how: str) -> None:
    save(run, 1, "best")
    save(run, 2)
    damage(run, "last", name, how)
    (tensors, state, found), note = load_newest(run)
    assert (found.step, state["step"], int(tensors["n"])) == (1, 1, 1)
    why = "is not there" if (name, how) == ("info.json", "gone") else "is damaged"
    assert note == f"the last checkpoint {why}: the run goes on from best"
    damage(run, "best", name, how)
    with pytest.raises(ConfigError, match=r"the checkpoint is damaged|has no checkpoint yet"):
        load_newest(run)


def test_where_last_is_missing_the_best_is_gone_on_from(run: RunDirectory) -> None:
    save(run, 1, "best")
    assert run.has_checkpoint
    assert load_newest(run)[1] == "the last checkpoint is not there: the run goes on from best"


def test_what_was_put_aside_is_gone_on_from(run: RunDirectory) -> None:
    save(run, 1)
    (run.checkpoints / "last").rename(run.checkpoints / ".last.old")
    (_, state, _), note = load_newest(run)
    assert (state["step"], note) == (1, "")
    save(run, 2)
    shutil.copytree(run.checkpoints / "last", run.checkpoints / ".last.old")
    damage(run, "last", "state.pt", "cut")
    assert step_of(run) == 2
    assert load_newest(run)[0][1]["step"] == 2


def test_what_a_killed_run_left_is_swept(run: RunDirectory) -> None:
    save(run, 1)
    save(run, 1, "best")
    for name in (".last.new", ".best.new", ".last.old", ".best.old"):
        shutil.copytree(run.checkpoints / "last", run.checkpoints / name)
    damage(run, "best", "state.pt", "cut")
    sweep(run)
    assert {path.name for path in run.checkpoints.iterdir()} == {"last", "best", ".best.old"}
