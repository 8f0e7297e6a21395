"""``fxtui train``, ``fxtui demo`` and the bare ``fxtui PATH``: a new run, in the dashboard or in lines."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from fxtui.cli.options import DEFAULT_RUNS, Headless, Json, Overrides, Runs
from fxtui.config import RunConfig, bundled_config, load_config


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG|FOLDER", help="A TOML file or a folder of images.")],
    overrides: Overrides = None,
    headless: Headless = False,
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
) -> int:
    """Train from a configuration or a folder of images, in the dashboard if there is a terminal.

    Without one, or with --headless, progress is printed as lines.
    """
    from fxtui.cli.start import config_at

    return launch(config_at(config, overrides or []), runs, headless=headless, json=json)


def demo(overrides: Overrides = None, headless: Headless = False, json: Json = False, runs: Runs = DEFAULT_RUNS) -> int:
    """Train on 1,000 embedded handwritten digits: no network, no data of yours."""
    return launch(load_config(bundled_config("demo"), overrides), runs, headless=headless, json=json)


def launch(config: RunConfig, runs: Path, *, headless: bool, json: bool) -> int:
    """Start a run and follow it to its end; returns the exit status.

    Raises:
        ConfigError: the configuration is wrong.
    """
    from fxtui.cli.start import new_session

    if json:
        from fxtui.cli.json_lines import follow_as_json

        return follow_as_json(lambda: new_session(config, runs))
    session = new_session(config, runs)
    if headless or not has_terminal():
        from fxtui.cli.headless import follow_in_lines

        return follow_in_lines(session)
    from fxtui.cli.dashboard import follow_in_dashboard

    return follow_in_dashboard(session)


def has_terminal() -> bool:
    """Whether a dashboard can be shown: a terminal for keys and for the screen that can move its cursor."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"
