"""What a user who looks elsewhere is told of a run that is followed in lines or as JSON."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fxtui.cli.following.watching import WindowTitle
from fxtui.cli.output.console import SteadyConsole
from fxtui.run.notices.words import KEEP_TITLE, TITLE_BACK
from fxtui.run.state import RunState, fold
from tests.cli.following.real_terminal import Terminal, until
from tests.cli.following.test_following import ROOT, SECONDS, journal, records
from tests.run.samples import opening, stamped, trained


def follow(how: str, what: str, runs: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.cli.following.made_up", how, what, str(runs), *settings],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


@pytest.mark.parametrize("how", ["json", "lines"])
@pytest.mark.parametrize(("what", "status"), [("finishes", 0), ("fails", 1)])
def test_the_command_is_given_the_end_before_the_process_ends(tmp_path: Path, how: str, what: str, status: int) -> None:
    out = tmp_path / "out"
    done = follow(how, what, tmp_path / "runs", f"session.notify=cat > {out}; echo told")
    assert done.returncode == status
    assert json.loads(out.read_text()) == records(journal(tmp_path / "runs"))[-1]
    assert "fxtui: session.notify: told\n" in done.stderr
    if how == "json":
        assert done.stdout == journal(tmp_path / "runs")


def test_a_command_that_fails_changes_nothing_of_the_run(tmp_path: Path) -> None:
    done = follow("lines", "finishes", tmp_path, "session.notify=exit 7")
    assert done.returncode == 0
    assert "fxtui: session.notify: exit status 7\n" in done.stderr


def test_the_bell_rings_on_a_terminal_alone(tmp_path: Path) -> None:
    assert "\a" not in follow("lines", "finishes", tmp_path, "session.bell=true").stderr
    for bell, rings in (("true", True), ("false", False)):
        ours, theirs = os.openpty()
        with subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.cli.following.made_up",
                "lines",
                "fails",
                str(tmp_path),
                f"session.bell={bell}",
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        ) as process:
            assert process.wait(SECONDS) == 1
        os.write(theirs, b"end")
        os.close(theirs)
        seen = b""
        while not seen.endswith(b"end"):
            seen += os.read(ours, 1024)
        os.close(ours)
        assert (b"\a" in seen) == rings


def test_the_window_bears_how_far_it_is_and_then_its_own_name() -> None:
    out, now = SteadyConsole(), [0.0]
    out.console = Console(file=io.StringIO())
    window = WindowTitle(out, lambda: now[0])
    window.show(RunState())
    run = fold(stamped([*opening(50), *trained(1, 0.935, best=True)]))
    window.show(run)
    now[0] = 1.0
    window.show(run)
    now[0] = 9.0
    window.show(run)
    window.close()
    window.close()
    assert isinstance(out.console.file, io.StringIO)
    assert out.console.file.getvalue() == (f"{KEEP_TITLE}\x1b]2;fxtui\x1b\\\x1b]2;1/50 93.5% fxtui\x1b\\{TITLE_BACK}")


@pytest.mark.parametrize("rings", [True, False])
def test_the_dashboard_rings_and_runs_the_command_too(tmp_path: Path, rings: bool) -> None:
    out = tmp_path / "out"
    shown = Terminal("finishes", tmp_path / "runs", f"session.notify=cat > {out}", f"session.bell={rings}".lower())
    try:
        until(lambda: out.exists() and out.read_text().endswith("\n"))
        shown.keys(b"q")
        assert shown.exit_status() == 0
        # The same byte ends what tells a terminal which pointer to show.
        assert (b"\a" in re.sub(rb"\x1b\][^\a\x1b]*\a", b"", shown.screen)) is rings
    finally:
        shown.close()
    assert json.loads(out.read_text()) == records(journal(tmp_path / "runs"))[-1]
