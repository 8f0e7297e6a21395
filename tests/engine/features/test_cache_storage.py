"""Feature caches on storage that fails: never a wrong number, and never the end of a run."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fxtui.bench.faults.inject import SHORT, Call, Fault, Faults
from fxtui.config import RunConfig
from fxtui.engine.features.disk_cache import CacheFiles, cache_root
from fxtui.engine.features.memory_cache import CacheMemory
from fxtui.engine.features.stored_rows import StoredRows
from fxtui.protocol import events as ev
from tests.engine.runs import Outcome, carry_out, tiny_config

BIN = "*/features/*.bin"


def config(*overrides: str) -> RunConfig:
    return tiny_config("train.epochs=2", "data.limit=75", *overrides)


def losses(outcome: Outcome) -> list[tuple[float, float]]:
    assert outcome.state.phase == "finished", outcome.state.reason
    return [(epoch.train_loss, epoch.val_loss) for epoch in outcome.state.epochs]


def warnings(outcome: Outcome) -> list[str]:
    return [event.text for event in outcome.of(ev.RunWarning)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[float, float]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return losses(carry_out(config(), tmp_path_factory.mktemp("runs")))


@pytest.fixture
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache fits into memory."""
    monkeypatch.setattr(CacheMemory, "place_for", lambda *_: None)


@pytest.mark.usefixtures("in_files")
def test_a_cache_in_a_file_gives_the_same_numbers(tmp_path: Path, undisturbed: list[tuple[float, float]]) -> None:
    for reused in (False, True):
        outcome = carry_out(config(), tmp_path)
        (ready,) = outcome.of(ev.CacheReady)
        assert (ready.where, ready.reused) == ("file", reused)
        assert losses(outcome) == undisturbed
        assert warnings(outcome) == []


@pytest.mark.parametrize("call", ["open", "posix_fallocate", "pwrite", "fsync", "rename"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_one_in_memory_that_cannot_be_kept_is_said_once(
    tmp_path: Path, undisturbed: list[tuple[float, float]], call: Call, error: int
) -> None:
    pattern = "*/features/.*" if call == "rename" else BIN
    with Faults(Fault(call, pattern, error)) as storage:
        outcome = carry_out(config(), tmp_path)
    assert storage.struck
    assert losses(outcome) == undisturbed
    assert warnings(outcome) == [f"the feature cache is not kept for later runs: {os.strerror(error)}"]
    assert list(cache_root().iterdir()) == []


@pytest.mark.usefixtures("in_files")
@pytest.mark.parametrize("call", ["open", "posix_fallocate", "pwrite", "fsync"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_one_in_a_file_that_cannot_be_written_is_given_up(
    tmp_path: Path, undisturbed: list[tuple[float, float]], call: Call, error: int
) -> None:
    with Faults(Fault(call, BIN, error)) as storage:
        outcome = carry_out(config(), tmp_path)
    assert storage.struck
    assert np.allclose(losses(outcome), undisturbed, atol=1e-5)
    text = f"the feature cache cannot be written: {os.strerror(error)}; frozen layers run in every batch"
    assert warnings(outcome) == [text]
    assert outcome.of(ev.CacheReady)[0].where == "none"
    assert list(cache_root().iterdir()) == []


@pytest.mark.usefixtures("in_files")
@pytest.mark.parametrize("fault", [Fault("pwrite", BIN, SHORT), Fault("posix_fallocate", BIN, errno.EOPNOTSUPP)])
def test_odd_storage_is_no_fault(tmp_path: Path, undisturbed: list[tuple[float, float]], fault: Fault) -> None:
    with Faults(fault) as storage:
        outcome = carry_out(config(), tmp_path)
    assert storage.struck
    assert losses(outcome) == undisturbed
    assert warnings(outcome) == []
    assert outcome.of(ev.CacheReady)[0].where == "file"


@pytest.mark.usefixtures("in_files")
@pytest.mark.parametrize("after", [0, 1, 3, 7])
@pytest.mark.parametrize("times", [1, None])
def test_what_cannot_be_read_is_computed_again_to_the_bit(
    tmp_path: Path, undisturbed: list[tuple[float, float]], after: int, times: int | None
) -> None:
    carry_out(config(), tmp_path)
    with Faults(Fault("pread", BIN, errno.EIO, after, times)) as storage:
        outcome = carry_out(config(), tmp_path)
    assert storage.struck
    assert losses(outcome) == undisturbed
    (text,) = warnings(outcome)
    assert text == "the feature cache cannot be read: Input/output error; what is missing is computed again"


@pytest.mark.usefixtures("in_files")
@pytest.mark.parametrize("trained", ["freeze.trainable=layer3", "freeze.trainable=conv1,layer1,layer2,layer3"])
def test_a_file_that_is_cut_while_it_is_in_use_costs_no_number(tmp_path: Path, trained: str) -> None:
    whole = losses(carry_out(config(trained), tmp_path))

    def cut(event: ev.Event) -> None:
        if isinstance(event, ev.CacheReady):
            for path in cache_root().glob("*/*.bin"):
                os.truncate(path, path.stat().st_size // 3)

    outcome = carry_out(config(trained), tmp_path, cut)
    assert losses(outcome) == whole
    assert [text for text in warnings(outcome) if "cannot be read" in text] == [
        "the feature cache cannot be read: the file is shorter than its description; what is missing is computed again"
    ]


def test_one_found_on_disk_that_cannot_be_read_is_computed_again(
    tmp_path: Path, undisturbed: list[tuple[float, float]]
) -> None:
    carry_out(config(), tmp_path)
    with Faults(Fault("pread", BIN, errno.EIO)):
        outcome = carry_out(config(), tmp_path)
    assert losses(outcome) == undisturbed
    assert warnings(outcome) == ["the feature cache cannot be read: Input/output error; it is computed again"]
    (ready,) = outcome.of(ev.CacheReady)
    assert (ready.reused, ready.images_read) == (False, True)


@pytest.mark.parametrize("where", ["info.json", "0.bin"])
@pytest.mark.parametrize("junk", [b"", b"[" * 200_000, b'{"dtype":"nonsense","shapes":[[75,16]],"broken":{}}', b"\xff"])
def test_a_damaged_one_is_not_found(tmp_path: Path, where: str, junk: bytes) -> None:
    files = CacheFiles(tmp_path, max_bytes=10_000)
    files.store("key", [torch.ones(75, 16)], {})
    (tmp_path / "key" / where).write_bytes(junk)
    assert files.find("key") is None


@pytest.mark.parametrize("shapes", [[], [[]], [[-1, 16]], [[2**40, 2**40]]])
def test_shapes_that_make_no_sense_are_not_found(tmp_path: Path, shapes: list[list[int]]) -> None:
    files = CacheFiles(tmp_path, max_bytes=10_000)
    files.store("key", [torch.ones(75, 16)], {})
    (tmp_path / "key" / "info.json").write_text(json.dumps({"dtype": "float32", "shapes": shapes, "broken": {}}))
    assert files.find("key") is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_one_written_through_a_mapping_before_is_found(tmp_path: Path, dtype: torch.dtype) -> None:
    (tmp_path / "key").mkdir()
    expected = torch.randn(75, 16, 4).to(dtype)
    mapped = torch.from_file(str(tmp_path / "key" / "0.bin"), shared=True, size=expected.numel(), dtype=dtype)
    mapped.copy_(expected.reshape(-1))
    info = {"dtype": str(dtype).removeprefix("torch."), "shapes": [[75, 16, 4]], "broken": {"7": "torn"}}
    (tmp_path / "key" / "info.json").write_text(json.dumps(info))
    found = CacheFiles(tmp_path).find("key")
    assert found is not None
    (rows,), broken = found
    assert broken == {7: "torn"}
    assert torch.equal(rows.read(), expected)
    for places in ([3], [0, 1, 2, 9, 8, 8, 74], [], list(range(75))):
        index = torch.tensor(places, dtype=torch.int64)
        assert torch.equal(rows.index_select(0, index), expected.index_select(0, index))


def test_rows_are_written_anywhere(tmp_path: Path) -> None:
    rows = StoredRows(tmp_path / "0.bin", (10, 3), torch.float32, new=True)
    rows.reserve()
    expected = torch.arange(30.0).reshape(10, 3)
    for first in (6, 0, 3):
        rows.write(first, expected[first : first + 4])
    assert torch.equal(rows.read(), expected)


def test_it_is_its_owners_alone_whatever_the_umask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = os.umask(0)
    try:
        CacheFiles(cache_root(), 10_000).store("key", [torch.ones(75, 16)], {})
    finally:
        os.umask(before)
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.rglob("*")}
    folders = dict.fromkeys(("cache", "fxtui", "features", "key"), "0o700")
    assert modes == folders | dict.fromkeys(("0.bin", "info.json"), "0o600")


def test_what_killed_processes_left_half_written_is_swept(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    for name in (f".gone.{process.pid}", f".alive.{os.getppid()}", ".other"):
        (tmp_path / name).mkdir()
    CacheFiles(tmp_path, 10_000).store("key", [torch.ones(75, 16)], {})
    assert {path.name for path in tmp_path.iterdir()} == {f".alive.{os.getppid()}", ".other", "key"}


_ON_A_SMALL_DISK = """
import json, os, sys
from pathlib import Path
from tests.engine.features.test_cache_storage import config, losses, warnings
from tests.engine.runs import carry_out
from fxtui.engine.features.memory_cache import CacheMemory
if sys.argv[2] == "files":
    CacheMemory.place_for = lambda *_: None
os.environ["XDG_CACHE_HOME"] = sys.argv[1]
outcome = carry_out(config("freeze.trainable=layer3", "cache.max_gb=1"), Path(sys.argv[3]))
print(json.dumps([losses(outcome), warnings(outcome)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["files", "memory"])
def test_a_disk_that_is_full_in_earnest(tmp_path: Path, where: str) -> None:
    """A file system of 64 KiB in memory, in a name space of its own."""
    small = tmp_path / "small"
    small.mkdir()
    mount = f"mount -t tmpfs -o size=64k none {small}"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    said = []
    for prepare in (mount, "true"):
        command = f'{prepare} && exec "$0" "$@"'
        script = [sys.executable, "-c", _ON_A_SMALL_DISK, str(small), where, str(tmp_path / "runs")]
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", command, *script],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[3],
        )
        assert done.returncode == 0, done.stderr
        said.append(json.loads(done.stdout))
    (small_losses, small_warnings), (plain_losses, plain_warnings) = said
    assert any("No space left on device" in text for text in small_warnings)
    assert plain_warnings == []
    assert np.allclose(small_losses, plain_losses, atol=1e-5)
