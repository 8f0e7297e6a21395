"""The bare ``fxtui``: choose a run, a configuration or a folder, or fill in a new run, and go on as ``train`` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fxtui.cli.display_options import DisplayOptions, theme_of
from fxtui.cli.options import DEFAULT_RUNS, Ascii, LowBandwidth, NoColor, Runs, ThemeName
from fxtui.cli.output.streams import has_terminal
from fxtui.config import ConfigError, RunConfig, load_config

if TYPE_CHECKING:
    from fxtui.run.preview import Preview


def choose(
    runs: Runs = DEFAULT_RUNS,
    low_bandwidth: LowBandwidth = False,
    ascii_only: Ascii = False,
    no_color: NoColor = False,
    theme: ThemeName = None,
) -> int:
    """Choose what to train from what is here: runs, configurations, folders of images, or a new run."""
    from fxtui.cli.following.run_session import Manner, run_session, waiter_for

    if not has_terminal():
        raise ConfigError("choose: needs a terminal; without one use fxtui train CONFIG|FOLDER")
    manner = Manner()
    # What is imported from here on, the shell's process need not have.
    waiter = waiter_for(manner)
    from fxtui.cli.sessions import new_session, resumed_session
    from fxtui.run.nearby import look_around
    from fxtui.run.store import RunStore
    from fxtui.tui.launcher.app import Attach, GoOn, LauncherApp, StartFile
    from fxtui.tui.launcher.form_screen import FormHelp

    display = DisplayOptions(ascii_only=ascii_only, low_bandwidth=low_bandwidth, no_color=no_color, theme=theme)
    app = LauncherApp(
        lambda: look_around(Path(), runs),
        FormHelp(preview, backbones),
        profile=display.profile(),
        theme=theme_of(display),
    )
    match app.run():
        case GoOn(run=run):
            return run_session(lambda: resumed_session(str(run), [], runs, watched=True), manner, display, waiter)
        case Attach(run=run):
            from fxtui.cli.following.attached import follow_attached, take_up
            from fxtui.run.session.attached import AttachedSession

            return follow_attached(AttachedSession(RunStore(runs).find(str(run)), take_up=take_up), display)
        case StartFile(path=path, new=new):
            if new:
                typer.echo(f"wrote {path}; again with: fxtui train {path}")
            config = load_config(path)
            return run_session(lambda: new_session(config, runs), manner, display, waiter)
    return app.return_code or 0


def backbones() -> tuple[str, ...]:
    """The names of the backbones that can be chosen; torch is not loaded for them."""
    from fxtui.engine.backbones.names import known_backbones

    return known_backbones()


def preview(config: RunConfig) -> Preview:
    """What a run would be like; what is wrong without torch is said without it.

    Raises:
        ConfigError: the run would be refused.
        PreviewFailedError: nothing can be said.
    """
    from fxtui.cli.configuration import check_without_torch
    from fxtui.run.preview import PreviewFailedError

    try:
        source = check_without_torch(config)
        from fxtui.engine.costs.of_run import preview as look_ahead

        return look_ahead(config, source)
    except ConfigError:
        raise
    except ImportError as error:
        raise PreviewFailedError(f"cannot be imported: {error}") from error
    # What a model raises on random weights and made-up images is its own affair, and no reason to lose the form.
    except Exception as error:
        raise PreviewFailedError(
            f"cannot be previewed: {(str(error) or type(error).__name__).splitlines()[0]}"
        ) from error
