"""``fxtui attach``: the dashboard on a run that trains elsewhere, or has ended. Loads no torch."""

from __future__ import annotations

from typing import Annotated

import typer

from fxtui.cli.display_options import DisplayOptions, theme_of
from fxtui.cli.options import DEFAULT_RUNS, Ascii, LowBandwidth, NoColor, Runs, ThemeName
from fxtui.cli.output.streams import has_terminal
from fxtui.config import ConfigError


def attach(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A directory, a name, a unique prefix of one, or `last`.")
    ] = "last",
    read_only: Annotated[bool, typer.Option("--read-only", help="See everything, change nothing.")] = False,
    low_bandwidth: LowBandwidth = False,
    ascii_only: Ascii = False,
    no_color: NoColor = False,
    theme: ThemeName = None,
    runs: Runs = DEFAULT_RUNS,
) -> int:
    """Open the dashboard on a run, be it under way in another terminal or long over; any number may."""
    from fxtui.cli.following.attached import follow_attached, take_up
    from fxtui.run.session.attached import AttachedSession
    from fxtui.run.store import RunStore

    display = DisplayOptions(ascii_only=ascii_only, low_bandwidth=low_bandwidth, no_color=no_color, theme=theme)
    theme_of(display)
    found = RunStore(runs).find(run)
    if not has_terminal():
        raise ConfigError(f"attach: needs a terminal; without one use fxtui show {run} or fxtui ctl {run} COMMAND")
    return follow_attached(AttachedSession(found, read_only=read_only, take_up=take_up), display)
