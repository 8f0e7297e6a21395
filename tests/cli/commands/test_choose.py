"""The bare command: help without a terminal, no torch before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fxtui.cli.main import main

_SHOW_LAUNCHER = """
import asyncio, sys
from pathlib import Path
import fxtui.cli.main
from fxtui.cli.commands.choose import backbones, preview
from fxtui.run.nearby import look_around
from fxtui.tui.launcher.app import LauncherApp
from fxtui.tui.launcher.form_screen import FormHelp

async def show():
    app = LauncherApp(lambda: look_around(Path(), Path("runs")), FormHelp(preview, backbones))
    async with app.run_test() as pilot:
        await pilot.pause(0.5)
        assert len(backbones()) > 50
        print([name for name in ("torch", "torchvision", "numpy") if name in sys.modules])

asyncio.run(show())
"""


def test_without_a_terminal_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "fxtui CONFIG or fxtui FOLDER" in capsys.readouterr().out


def test_choosing_needs_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["choose"]) == 2
    assert "needs a terminal" in capsys.readouterr().err


def test_the_launcher_loads_no_torch(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SHOW_LAUNCHER], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
