"""``fxtui runs``: all runs, a line each."""

from __future__ import annotations

from typing import Any

from fxtui.cli.options import DEFAULT_RUNS, Json, Runs
from fxtui.run.store import RunStore
from fxtui.run.summary import RunSummary, read_summary
from fxtui.text import numbers as fmt


def runs(json: Json = False, runs: Runs = DEFAULT_RUNS) -> int:
    """List all runs, oldest first."""
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json
    from fxtui.cli.output.tables import Column, table_lines

    found = [read_summary(run) for run in RunStore(runs).list()]
    if json:
        for summary in found:
            print_json(row_of(summary))
        return 0
    console = make_console()
    if not found:
        console.print(f"no runs in {runs}; start one with fxtui train CONFIG")
        return 0
    columns = (
        Column("name"),
        Column("status"),
        Column("backbone"),
        Column("epochs", right=True),
        Column("best val", right=True),
        Column("time", right=True),
    )
    for number, line in enumerate(table_lines(columns, [_cells(summary) for summary in found])):
        console.print(line, style="" if number else "bold")
    return 0


def row_of(run: RunSummary) -> dict[str, Any]:
    """One run as ``--json`` prints it; None for what is not known of it."""
    return {
        "name": run.name,
        "path": str(run.path),
        "status": run.status,
        "backbone": run.backbone or None,
        "epochs": run.epochs_done,
        "best_val_accuracy": run.best_accuracy,
        "seconds": None if run.status == "damaged" else round(run.seconds, 3),
        "reason": run.reason,
    }


def _cells(run: RunSummary) -> tuple[str, ...]:
    return (
        run.name,
        run.status,
        run.backbone or fmt.NONE,
        str(run.epochs_done) if run.epochs_done else fmt.NONE,
        fmt.accuracy(run.best_accuracy),
        fmt.NONE if run.status == "damaged" else fmt.duration(run.seconds),
    )
