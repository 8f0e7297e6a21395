"""The command line: which command, and how every way out of it looks."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Never

import typer

from fxtui import __version__
from fxtui.cli.commands import attach, bench, cache, choose, ctl, layers, predict, prune, rm, runs, show, train
from fxtui.cli.commands.doctor import command as doctor
from fxtui.cli.output.streams import complain, discard_stdout, has_terminal
from fxtui.config import ConfigError
from fxtui.machine.malloc import keep_freed_memory

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

# Typer raises its own copy of click's errors, or click's, by version; this is the usage error of either.
_UsageError: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="fxtui",
    help="Transfer learning in PyTorch, live in the terminal.",
    epilog="fxtui CONFIG or fxtui FOLDER opens the dashboard on a configuration or a folder of images.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("choose", short_help="Choose what to train; fxtui alone does the same.")(choose.choose)
app.command("demo", short_help="Train on the embedded digits.")(train.demo)
app.command("train", short_help="Train from a configuration or a folder.")(train.train)
app.command("attach", short_help="Open the dashboard on a run that is under way, or over.")(attach.attach)
app.command("ctl", short_help="Tell a run that is under way to do something.")(ctl.ctl)
app.command("runs", short_help="List the runs.")(runs.runs)
app.command("show", short_help="Summarise a run.")(show.show)
app.command("rm", short_help="Remove runs.")(rm.rm)
app.command("prune", short_help="Remove all runs but the newest.")(prune.prune)
app.add_typer(cache.app, name="cache", short_help="What is kept of frozen layers; cache clear removes it.")
app.command("layers", short_help="The layer table.")(layers.layers)
app.command("predict", short_help="Predict images, step by step.")(predict.predict)
app.command("doctor", short_help="Check versions, devices, terminal and directories.")(doctor.doctor)
app.add_typer(bench.app, name="bench", short_help="Measure against the plain PyTorch loop on this machine.")

_TRAINING = ("choose", "demo", "train")
COMMANDS = (
    "choose", "demo", "train", "attach", "ctl", "runs", "show", "rm", "prune", "cache", "layers", "predict", "bench",
    "doctor",
)  # fmt: skip


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        typer.echo(f"fxtui {__version__}")
        raise typer.Exit


def dispatch(arguments: Sequence[str]) -> list[str]:
    """The arguments with the command spelled out: ``fxtui PATH`` is ``fxtui train PATH``.

    Bare ``fxtui`` opens the launcher, or asks for help where there is no terminal.

    Raises:
        ConfigError: the first word is no command and no path.
    """
    if not arguments:
        return ["choose"] if has_terminal() else ["--help"]
    word = arguments[0]
    if word in ("-h", "--help", "--version") or word in COMMANDS:
        return list(arguments)
    if word.startswith("-"):
        return ["choose", *arguments]
    if Path(word).exists() or word.endswith(".toml") or os.sep in word:
        return ["train", *arguments]
    close = difflib.get_close_matches(word, COMMANDS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"commands: {', '.join(COMMANDS)}"
    raise ConfigError(f"{word}: no such command, file or folder; {hint}")


def main(arguments: Sequence[str]) -> int:
    """Carry out one command line and return the exit status; errors are one line on standard error."""
    try:
        command, words = typer.main.get_command(app), dispatch(arguments)
        # Not for a bench: what it compares with is the loop that anyone would write.
        if words[0] in _TRAINING:
            keep_freed_memory()
            # Until a run is followed, to be told to end is to be interrupted: what was begun is taken back.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        status = command.main(args=words, prog_name="fxtui", standalone_mode=False)
        sys.stdout.flush()
    except _UsageError as error:
        complain(error.format_message())
        return EXIT_USAGE
    except ConfigError as error:
        complain(str(error))
        return EXIT_USAGE
    except RuntimeError as error:
        # What a run is need not be known where it goes well.
        from fxtui.run.store import RunLockedError

        if not isinstance(error, RunLockedError):
            raise
        complain(str(error))
        return EXIT_FAILED
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read has enough, e.g. `fxtui runs | head`.
        discard_stdout()
        return EXIT_FAILED
    except OSError as error:
        # E.g. standard output goes to a file on a disk that is full.
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        complain(f"{where}{error.strerror or type(error).__name__}")
        with contextlib.suppress(OSError):
            discard_stdout()
        return EXIT_FAILED
    return int(status or 0)


def run() -> Never:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name that this terminal cannot show must not end a run.
            stream.reconfigure(errors="replace")
    sys.exit(main(sys.argv[1:]))
