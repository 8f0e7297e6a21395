"""``fxtui runs``: all runs, a line each, once or kept up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fxtui.cli.options import DEFAULT_RUNS, Json, Runs

if TYPE_CHECKING:
    from fxtui.run.summary import RunSummary, Summaries

_WATCH_SECONDS = 1.0


def runs(
    watch: Annotated[bool, typer.Option("--watch", help="Keep the list up to date until ctrl-c.")] = False,
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
) -> int:
    """List all runs, oldest first."""
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json
    from fxtui.run.summary import Summaries

    summaries = Summaries(runs)
    if watch:
        return _watch(summaries, runs, json)
    found = summaries.read()
    if json:
        for summary in found:
            print_json(row_of(summary))
        return 0
    console = make_console()
    for number, line in enumerate(table_of(found, runs)):
        console.print(line, style="bold" if found and not number else "")
    return 0


def table_of(found: list[RunSummary], runs: Path) -> list[str]:
    """The runs with a heading, or one line that says that there are none."""
    from fxtui.cli.output.tables import Column, table_lines

    if not found:
        return [f"no runs in {runs}; start one with fxtui train CONFIG"]
    columns = [
        Column("name"),
        Column("status"),
        Column("backbone"),
        Column("epochs", right=True),
        Column("best val", right=True),
        Column("time", right=True),
    ]
    rows = [_cells(summary) for summary in found]
    if any(row[-1] for row in rows):
        return table_lines([*columns, Column("back with")], rows)
    return table_lines(columns, [row[:-1] for row in rows])


def row_of(run: RunSummary) -> dict[str, Any]:
    """One run as ``--json`` prints it; None for what is not known of it."""
    return {
        "name": run.name,
        "path": str(run.path),
        "status": run.status,
        "backbone": run.backbone or None,
        "epochs": run.epochs_done,
        "epochs_planned": run.epochs_planned or None,
        "best_val_accuracy": run.best_accuracy,
        "seconds": None if run.status == "damaged" else round(run.seconds, 3),
        "reason": run.reason,
        "pid": run.pid or None,
        "host": run.host or None,
        "back_with": _way_back(run) or None,
    }


def _watch(summaries: Summaries, runs: Path, json: bool) -> int:
    import time

    from fxtui.cli.output.json_lines import print_json
    from fxtui.cli.output.redrawn import Redrawn, can_redraw

    screen = Redrawn() if not json and can_redraw() else None
    shown: list[str] = []
    told: dict[Path, RunSummary] = {}
    try:
        while True:
            found = summaries.read()
            if json:
                for run in found:
                    if told.get(run.path) != run:
                        print_json(row_of(run))
                told = {run.path: run for run in found}
                _flush()
            elif screen:
                screen.show(table_of(found, runs))
            else:
                lines = table_of(found, runs)
                # Its columns may be as wide as before: then only rows that are new or others are said.
                same_heading = shown[:1] == lines[:1]
                _say([line for line in lines if not same_heading or line not in shown])
                shown = lines
            time.sleep(_WATCH_SECONDS)
    except KeyboardInterrupt:
        return 0


def _say(lines: list[str]) -> None:
    from fxtui.cli.output.console import make_console

    console = make_console()
    for line in lines:
        console.print(line)
    _flush()


def _flush() -> None:
    import sys

    sys.stdout.flush()


def _way_back(run: RunSummary) -> str:
    from fxtui.cli.following.report import way_back
    from fxtui.run.store import RunDirectory

    return way_back(RunDirectory(run.path), run.status)


def _cells(run: RunSummary) -> tuple[str, ...]:
    from fxtui.run.summary import where_it_runs
    from fxtui.text import numbers as fmt

    way = _way_back(run)
    done = (
        f"{run.epochs_done} of {run.epochs_planned}" if run.epochs_planned and way else str(run.epochs_done or fmt.NONE)
    )
    return (
        run.name,
        run.status,
        run.backbone or fmt.NONE,
        done,
        fmt.accuracy(run.best_accuracy),
        fmt.NONE if run.status == "damaged" else fmt.duration(run.seconds),
        f"{way}  ({where_it_runs(run)})" if run.is_open and run.pid else way,
    )
