"""Leaving a run and its terminal, in earnest: the shell's process waits for another, which goes on without it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fxtui.cli.following.leaving import what_ends_it
from fxtui.run.store import RunDirectory, RunStore
from tests.cli.following.real_terminal import LEAVES_SCREEN, SECONDS, Terminal, terminal, until


def the_run(runs: Path) -> RunDirectory:
    return RunStore(runs).find("last")


def child_of(shown: Terminal) -> psutil.Process:
    """The process that is the run."""
    (child,) = psutil.Process(shown.pid).children()
    return child


@contextlib.contextmanager
def gone_in_the_end(run: psutil.Process) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            run.kill()


def end(run: psutil.Process) -> None:
    """Tell a run to end, and wait for it."""
    run.send_signal(signal.SIGTERM)
    psutil.wait_procs([run], timeout=SECONDS)
    assert not run.is_running()


def test_d_gives_the_prompt_back_and_the_run_goes_on(tmp_path: Path) -> None:
    with terminal("waits", tmp_path, "waited-for") as shown:
        shown.wait_for(b"90.0%")
        run = child_of(shown)
        with gone_in_the_end(run):
            shown.keys(b"d")
            assert shown.exit_status() == 0
            below = shown.screen.rpartition(LEAVES_SCREEN)[2].decode()
            name = the_run(tmp_path).path
            assert f"trains on (pid {run.pid}), epoch 2 of 3: fxtui attach {name}" in below
            assert run.is_running()
            # Of a session of its own, nothing that befalls the terminal's reaches it.
            assert os.getsid(run.pid) == run.pid
            end(run)
    assert the_run(tmp_path).load_state().phase == "stopped"
    log = (the_run(tmp_path).path / "output.log").read_text()
    assert "stopped" in log


def test_a_line_that_drops_is_nothing_to_the_run(tmp_path: Path) -> None:
    with terminal("waits", tmp_path, "waited-for") as shown:
        shown.wait_for(b"90.0%")
        run = child_of(shown)
        with gone_in_the_end(run):
            shown.hang_up()
            # As a shell does that dies with its terminal.
            os.kill(shown.pid, signal.SIGHUP)
            assert shown.exit_status() == 0
            until(lambda: os.getsid(run.pid) == run.pid)
            assert run.is_running()
            end(run)
    assert the_run(tmp_path).load_state().phase == "stopped"


def test_whatever_ends_the_run_the_terminal_is_as_it_was(tmp_path: Path) -> None:
    with terminal("waits", tmp_path, "waited-for") as shown:
        shown.wait_for(b"90.0%")
        assert shown.settings_now() != shown.settings
        child_of(shown).kill()
        shown.wait_for(b"fxtui train --resume last")
        assert shown.settings_now() == shown.settings
        assert shown.exit_status() == 128 + signal.SIGKILL
    assert b"SIGKILL has ended the run" in shown.screen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_saves_and_is_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    with terminal("waits", tmp_path, "waited-for") as shown:
        shown.wait_for(b"90.0%")
        os.kill(shown.pid, number)
        assert shown.exit_status() == 130
    assert LEAVES_SCREEN in shown.screen
    state = the_run(tmp_path).load_state()
    assert state.phase == "stopped"
    assert state.finished is not None
    assert state.finished.exit_status == 130


def test_while_it_is_stopped_its_waiter_is_and_both_go_on(tmp_path: Path) -> None:
    with terminal("waits", tmp_path, "waited-for") as shown:
        shown.wait_for(b"90.0%")
        run, waiter = child_of(shown), psutil.Process(shown.pid)
        threads = run.num_threads()
        for _ in range(3):
            run.send_signal(signal.SIGSTOP)
            until(lambda: waiter.status() == psutil.STATUS_STOPPED)
            waiter.send_signal(signal.SIGCONT)
            until(lambda: waiter.status() != psutil.STATUS_STOPPED and run.status() != psutil.STATUS_STOPPED)
        shown.screen = b""
        # What is typed before it has the terminal again is nobody's.
        shown.press_until(b"?", b"Keys on Main")
        assert run.num_threads() <= threads + 1
        shown.keys(b"\x1b")
        os.kill(shown.pid, signal.SIGTERM)
        assert shown.exit_status() == 130


def test_a_dashboard_that_crashes_leaves_a_line_and_a_file_and_the_run_goes_on(tmp_path: Path) -> None:
    opened = Terminal("waits", tmp_path, "--crash", how="waited-for")
    try:
        opened.wait_for(b"goes on in this terminal")
        os.kill(opened.pid, signal.SIGTERM)
        assert opened.exit_status() == 130
    finally:
        opened.close()
    said = opened.screen.rpartition(LEAVES_SCREEN)[2].decode()
    assert "fxtui: the dashboard crashed: RuntimeError: a defect [/] in the dashboard at made_up.py:" in said
    (report,) = the_run(tmp_path).path.glob("crash-*.txt")
    assert "defective" in report.read_text()
    assert the_run(tmp_path).load_state().phase == "stopped"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, ""),
        ({"proc/self/cgroup": "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0\n"}, "SLURM"),
        ({"proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n"}, ""),
        (
            {
                "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n",
                "etc/systemd/logind.conf": "[Login]\n#KillUserProcesses=no\nKillUserProcesses=yes\n",
            },
            "enable-linger",
        ),
        (
            {
                "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n",
                "etc/systemd/logind.conf.d/10.conf": "KillUserProcesses = yes\n",
                "var/lib/systemd/linger/ada": "",
            },
            "",
        ),
    ],
)
def test_what_would_end_it_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], words: str
) -> None:
    monkeypatch.setenv("USER", "ada")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    if os.getppid() != 1:
        assert words in what_ends_it(tmp_path)
        assert bool(what_ends_it(tmp_path)) is bool(words)
