"""``fxtui train``, ``fxtui demo`` and the bare ``fxtui PATH``: a new run, in the dashboard or in lines."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fxtui.cli.display_options import DisplayOptions
from fxtui.cli.options import (
    DEFAULT_RUNS,
    Ascii,
    Detach,
    Headless,
    Json,
    LowBandwidth,
    NoColor,
    Overrides,
    Runs,
    ThemeName,
)
from fxtui.config import ConfigError, bundled_config, load_config


def train(
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG|FOLDER", help="A TOML file or a folder of images.")
    ] = None,
    overrides: Overrides = None,
    headless: Headless = False,
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Go on from this run's last checkpoint instead.")
    ] = None,
    low_bandwidth: LowBandwidth = False,
    ascii_only: Ascii = False,
    no_color: NoColor = False,
    theme: ThemeName = None,
    detach: Detach = False,
) -> int:
    """Train from a configuration or a folder of images, in the dashboard if there is a terminal.

    Without one, or with --headless, progress is printed as lines.
    """
    from fxtui.cli.configuration import config_at
    from fxtui.cli.following.run_session import Manner, run_session, waiter_for
    from fxtui.cli.sessions import new_session, resumed_session

    manner = Manner(headless=headless, json=json, detach=detach)
    waiter = waiter_for(manner)
    display = DisplayOptions(ascii_only=ascii_only, low_bandwidth=low_bandwidth, no_color=no_color, theme=theme)
    if resume is not None:
        if config is not None:
            raise ConfigError(f"{config}: a run that goes on has its configuration; leave it out with --resume")
        watched = manner.in_dashboard or detach
        resumed = partial(resumed_session, resume, overrides or [], runs, watched=watched)
        return run_session(resumed, manner, display, waiter)
    if config is None:
        raise ConfigError("CONFIG|FOLDER: missing; give a TOML file or a folder of images, or --resume RUN")
    wanted = config_at(config, overrides or [])
    return run_session(lambda: new_session(wanted, runs), manner, display, waiter)


def demo(
    overrides: Overrides = None,
    headless: Headless = False,
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
    low_bandwidth: LowBandwidth = False,
    ascii_only: Ascii = False,
    no_color: NoColor = False,
    theme: ThemeName = None,
    detach: Detach = False,
) -> int:
    """Train on 1,000 embedded handwritten digits: no network, no data of yours."""
    from fxtui.cli.following.run_session import Manner, run_session, waiter_for
    from fxtui.cli.sessions import new_session

    manner = Manner(headless=headless, json=json, detach=detach)
    waiter = waiter_for(manner)
    display = DisplayOptions(ascii_only=ascii_only, low_bandwidth=low_bandwidth, no_color=no_color, theme=theme)
    config = load_config(bundled_config("demo"), overrides)
    return run_session(lambda: new_session(config, runs), manner, display, waiter)
