"""The dashboard in a real terminal: how it is left, and that a run outlives it. No torch involved."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fxtui.run.store import RunStore
from tests.cli.following.real_terminal import LEAVES_SCREEN, terminal, until


def test_leaving_after_the_end_prints_how_it_went_below_the_prompt(tmp_path: Path) -> None:
    with terminal("finishes", tmp_path) as shown:
        shown.wait_for(b"finished")
        shown.keys(b"q")
        assert shown.exit_status() == 0
        below = shown.screen.rpartition(LEAVES_SCREEN)[2].decode()
    assert "finished  best val 93.0% at epoch 3, 3 epochs in " in below
    assert f"show      fxtui show {RunStore(tmp_path).find('last').path}" in below


def test_prints_do_not_reach_the_screen_but_the_journal(tmp_path: Path) -> None:
    with terminal("prints_beside", tmp_path) as shown:
        shown.wait_for(b"finished")
        shown.keys(b"q")
        assert shown.exit_status() == 0
    logged = [line.text for line in RunStore(tmp_path).find("last").load_state().log if line.level == "output"]
    assert {"from python", "from c", "from a child"} <= set(logged)


def test_a_run_goes_on_when_its_terminal_is_gone_and_can_be_stopped(tmp_path: Path) -> None:
    with terminal("waits", tmp_path) as shown:
        shown.wait_for(b"90.0%")
        shown.hang_up()
        journal = RunStore(tmp_path).find("last").journal
        until(lambda: "the dashboard is closed" in journal.read_text())
        # As a shell does that dies with its terminal.
        os.kill(shown.pid, signal.SIGHUP)
        os.kill(shown.pid, signal.SIGTERM)
        assert shown.exit_status() == 130
    assert RunStore(tmp_path).find("last").load_state().phase == "stopped"


def test_a_configuration_found_wrong_late_closes_the_dashboard_with_one_line(tmp_path: Path) -> None:
    with terminal("refuses", tmp_path) as shown:
        assert shown.exit_status() == 2
        below = shown.screen.rpartition(LEAVES_SCREEN)[2].decode()
    assert "fxtui: device = 'cuda:7': not on this machine; here: cpu" in below
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["fails"])
def test_a_failed_run_is_status_1(tmp_path: Path, what: str) -> None:
    with terminal(what, tmp_path) as shown:
        shown.wait_for(b"failed")
        shown.keys(b"q")
        assert shown.exit_status() == 1


def test_standard_error_in_a_file_gets_what_is_said_and_the_terminal_what_is_drawn(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with terminal("fails", tmp_path / "runs", errors=errors) as shown:
        shown.wait_for(b"failed")
        shown.keys(b"q")
        until(lambda: shown.settings_now() == shown.settings)
        assert shown.exit_status() == 1
    assert "\x1b" not in errors.read_text()
