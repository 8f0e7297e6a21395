"""``fxtui rm``: remove runs that are named."""

from __future__ import annotations

from typing import Annotated

import typer

from fxtui.cli.options import DEFAULT_RUNS, DryRun, Json, Runs, Yes


def rm(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN ...", help="Directories, names, unique prefixes of one, or `last`.")
    ],
    yes: Yes = False,
    dry_run: DryRun = False,
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
) -> int:
    """Remove runs with all that is in their directories. If one of them runs or is no run, all stay."""
    from fxtui.cli.removal import remove_runs
    from fxtui.run.removal import check_removable
    from fxtui.run.store import RunLockedError, RunStore
    from fxtui.run.summary import read_summary, where_it_runs

    store = RunStore(runs)
    found = {run.path.resolve(): run for run in map(store.find, names)}
    for run in found.values():
        check_removable(run)
        if run.is_locked():
            raise RunLockedError(
                f"RUN {run.name}: {where_it_runs(read_summary(run))} has it, so it stays; end it first"
            )
    return remove_runs(list(found.values()), yes=yes, dry_run=dry_run, json=json)
