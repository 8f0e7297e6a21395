"""``fxtui prune``: keep the newest runs and remove the others."""

from __future__ import annotations

from typing import Annotated

import typer

from fxtui.cli.options import DEFAULT_RUNS, DryRun, Json, Runs, Yes


def prune(
    keep: Annotated[int, typer.Option("--keep", min=0, metavar="N", help="How many of the newest stay.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
) -> int:
    """Remove all runs but the newest N, the oldest first. One that runs or is held stays, however old it is."""
    from fxtui.cli.output.console import make_console
    from fxtui.cli.removal import remove_runs
    from fxtui.run.store import RunStore
    from fxtui.text import numbers as fmt

    found = RunStore(runs).list()
    old = found[: max(0, len(found) - keep)]
    # What is not surely a run is never removed unnamed; whoever names it is told why it stays.
    gone = [run for run in old if run.has_begun and not run.path.is_symlink() and not run.is_locked()]
    if gone:
        return remove_runs(gone, yes=yes, dry_run=dry_run, json=json)
    if not json:
        make_console().print(f"nothing to remove: {fmt.plural(len(found), 'run')} in {runs}")
    return 0
