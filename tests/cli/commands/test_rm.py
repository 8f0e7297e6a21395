"""``fxtui rm``: what goes, what stays, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fxtui.cli.main import main
from fxtui.cli.output import questions
from fxtui.run.store import RunLock
from tests.cli.recorded import half, lines, record
from tests.run.samples import whole_run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked, on a terminal where the answer is no."""
    found: list[str] = []

    def no(question: str) -> bool:
        found.append(question)
        return False

    monkeypatch.setattr(questions, "agreed", no)
    return found


def test_named_runs_go_and_others_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y, z = (record(tmp_path, name, whole_run()) for name in "xyz")
    assert main(["rm", "x", str(z.path), x.name, "--runs", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [y.name]
    assert [line.split("  ")[0] for line in lines(capsys)] == [f"removed {x.name}", f"removed {z.name}"]


def test_as_json_every_run_is_an_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path, "x", whole_run())
    assert main(["rm", "x", "--dry-run", "--json", "--runs", str(tmp_path)]) == 0
    assert main(["rm", "x", "--yes", "--json", "--runs", str(tmp_path)]) == 0
    would, did = map(json.loads, lines(capsys))
    assert (would["name"], would["removed"], did["removed"]) == (run.name, False, True)
    assert would["bytes"] == did["bytes"] > 1000


def test_a_dry_run_says_what_would_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path, "x", whole_run())
    assert main(["rm", "x", "--dry-run", "--runs", str(tmp_path)]) == 0
    assert lines(capsys)[0].startswith(f"would remove {run.name}  ")
    assert run.has_begun


def test_who_says_no_keeps_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str]) -> None:
    run = record(tmp_path, "x", whole_run())
    assert main(["rm", "x", "--runs", str(tmp_path)]) == 1
    assert asked[0].startswith(f"Remove {run.name}? Its ")
    assert capsys.readouterr().err == f"fxtui: not removed: {run.name}\n"
    assert run.has_begun


def test_a_running_run_is_refused_in_one_line_and_all_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended, runs = record(tmp_path, "ended", whole_run()), record(tmp_path, "runs", half())
    lock = RunLock(runs)
    assert main(["rm", "ended", "runs", "--runs", str(tmp_path)]) == 1
    lock.release()
    assert capsys.readouterr().err == f"fxtui: RUN {runs.name}: pid 7 has it, so it stays; end it first\n"
    assert ended.has_begun
    assert runs.has_begun


def test_a_strangers_folder_is_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = tmp_path / "project"
    project.mkdir()
    (project / "config.toml").write_text("[data]\nsource = 'digits'\n")
    record(tmp_path, "x", whole_run())
    for name in ("project", str(project)):
        assert main(["rm", name, "--yes", "--runs", "."]) == 2
        assert "not found in" in capsys.readouterr().err
    assert main(["prune", "--keep", "0", "--yes", "--runs", "."]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["project"]
    assert (project / "config.toml").exists()


def test_a_run_whose_journal_is_lost_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path, "x", whole_run())
    run.journal.unlink()
    assert main(["rm", "x", "--yes", "--runs", str(tmp_path)]) == 2
    assert "may be no run and stays" in capsys.readouterr().err
    assert run.config.exists()
