"""What all commands that remove runs do alike: say what would go, ask, remove, and say what went."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fxtui.cli.output.streams import complain
from fxtui.config import ConfigError
from fxtui.run.catalogue import size_of
from fxtui.run.removal import remove_run
from fxtui.run.store import RunDirectory, RunLockedError
from fxtui.text import numbers as fmt


def remove_runs(runs: Sequence[RunDirectory], *, yes: bool, dry_run: bool, json: bool) -> int:
    """Remove these runs, after asking on a terminal; returns the exit status.

    With ``dry_run`` they stay, and what would go is said. One that cannot be removed hides no other.
    """
    from fxtui.cli.output.questions import agreed

    sizes = [size_of(run.path) for run in runs]
    what, whose = (runs[0].name, "its") if len(runs) == 1 else (fmt.plural(len(runs), "run"), "their")
    if dry_run:
        for run, size in zip(runs, sizes, strict=True):
            _say(run, size, removed=False, json=json)
        return 0
    if not yes:
        if len(runs) > 1:
            sys.stderr.write("".join(f"{run.name}  {fmt.size(size)}\n" for run, size in zip(runs, sizes, strict=True)))
        if not agreed(f"Remove {what}? {whose.capitalize()} {fmt.size(sum(sizes))} cannot be had back"):
            complain(f"not removed: {what}")
            return 1
    status = 0
    for run, size in zip(runs, sizes, strict=True):
        try:
            remove_run(run)
        except RunLockedError as error:
            complain(f"{error}, so it stays")
            status = 1
        except ConfigError as error:
            complain(str(error))
            status = 1
        except OSError as error:
            complain(f"{error.filename or run.path}: cannot be removed: {error.strerror}")
            status = 1
        else:
            _say(run, size, removed=True, json=json)
    return status


def _say(run: RunDirectory, size: int, *, removed: bool, json: bool) -> None:
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json

    if json:
        print_json({"name": run.name, "path": str(run.path), "bytes": size, "removed": removed})
    else:
        make_console().print(f"{'removed' if removed else 'would remove'} {run.name}  {fmt.size(size)}")
