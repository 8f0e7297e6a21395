"""``fxtui cache``: what is listed, what is cleared, what is not touched."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from fxtui.cli.main import main
from fxtui.machine.directories import data_sets, feature_caches
from tests.cli.recorded import lines

KEY = "0123456789abcdef" * 2 + "01234567"


def make(name: str, *, age: float = 0.0, info: str | None = None) -> Path:
    """A cache of 4 KB on disk, unused for so many seconds."""
    folder = feature_caches() / name
    folder.mkdir(parents=True)
    (folder / "0.bin").write_bytes(bytes(4096))
    if info is not None:
        (folder / "info.json").write_text(info)
    then = time.time() - age
    os.utime(folder, (then, then))
    return folder


def ready(key: str = KEY, age: float = 7300.0) -> Path:
    return make(key, age=age, info='{"dtype":"float32","shapes":[[1000,512]],"broken":{}}')


def test_no_caches_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache"]) == 0
    assert main(["cache", "clear"]) == 0
    assert lines(capsys) == [f"no caches in {feature_caches()}"] * 2
    assert main(["cache", "--json"]) == 0
    assert lines(capsys) == []


def test_every_cache_is_a_line_the_one_unused_for_longest_first(capsys: pytest.CaptureFixture[str]) -> None:
    ready()
    make(f".{KEY[::-1]}.{os.getpid()}")
    make(f".{KEY}.999999999", age=90000.0)
    make("f" * 40, age=60.0, info="nonsense")
    data_sets().mkdir(parents=True)
    (data_sets() / "train.tar").write_bytes(bytes(2048))
    assert main(["cache"]) == 0
    table = lines(capsys)
    assert [line.split() for line in table[:3]] == [
        ["cache", "of", "size", "unused", "for"],
        ["01234567", "left", "unfinished", "4.0", "KiB", "1", "day"],
        ["01234567", "1,000", "images,", "512", "float32", "4.1", "KiB", "2", "h"],
    ]
    assert [line.split()[:2] for line in table[3:5]] == [["ffffffff", "damaged"], ["76543210", "being"]]
    assert table[5] == f"16.1 KiB in {feature_caches()}; fxtui cache clear removes them"
    assert table[6] == f"2.0 KiB of downloaded data sets in {data_sets()}"


def test_as_json_every_cache_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    folder = ready()
    assert main(["cache", "--json"]) == 0
    row = json.loads(lines(capsys)[0])
    assert (row["path"], row["images"], row["shapes"]) == (str(folder), 1000, [[1000, 512]])
    assert (row["dtype"], row["state"], row["kind"]) == ("float32", "ready", "features")


def test_clear_removes_caches_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ready()
    left = make(f".{KEY}.999999999")
    written = make(f".{KEY[::-1]}.{os.getpid()}")
    theirs = make("notes")
    (feature_caches() / ("a" * 40)).symlink_to(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"x")
    assert main(["cache", "clear"]) == 0
    assert sorted(path.name for path in feature_caches().iterdir()) == sorted([written.name, theirs.name, "a" * 40])
    assert (tmp_path / "photo.jpg").exists()
    assert not left.exists()
    assert lines(capsys) == [f"8.1 KiB removed from {feature_caches()}"]


def test_clear_as_json_says_what_went(capsys: pytest.CaptureFixture[str]) -> None:
    folder = ready()
    assert main(["cache", "clear", "--yes", "--json"]) == 0
    row = json.loads(lines(capsys)[0])
    assert (row["path"], row["removed"]) == (str(folder), True)
