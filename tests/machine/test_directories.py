"""The user's directories, with a home and without."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from fxtui.engine.backbones.download import published_path
from fxtui.engine.data.sources.torchvision_sets import data_root
from fxtui.engine.features.disk_cache import cache_root
from fxtui.machine.directories import cache_home, cache_home_note, expanded, home


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Neither a variable nor the system knows a home; a temporary directory of the test's own."""

    def unknown(path: str) -> str:
        return path

    for name in ("HOME", "XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_without_a_home_caches_go_to_the_temporary_directory(no_home: Path) -> None:
    with pytest.raises(RuntimeError):
        Path.home()
    own = no_home / f"fxtui-{os.getuid()}"
    assert home() is None
    assert cache_home() == own
    assert cache_home_note() == f"there is no home directory: caches go to {own}"
    assert cache_root().parent == data_root().parent == own / "fxtui"
    assert published_path("https://example.org/a.pth") == own / "torch" / "hub" / "checkpoints" / "a.pth"
    assert expanded("~/photos") == Path("~/photos")


def test_what_another_user_could_have_made_is_not_taken(no_home: Path) -> None:
    (no_home / f"fxtui-{os.getuid()}").symlink_to("/")
    assert cache_home() == no_home / f"fxtui-{os.getuid()}-{os.getpid()}"


def test_with_a_home_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_home_note() == ""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/somewhere")
    assert cache_home() == Path("/somewhere/.cache")
    assert cache_home_note() == ""
    assert expanded("~/photos") == Path("/somewhere/photos")
