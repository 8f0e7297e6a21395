"""``fxtui runs`` and ``fxtui show``: what was trained, from its journals and summaries."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer
from msgspec import Struct

from fxtui.cli.options import DEFAULT_RUNS, Json, RunReference, Runs
from fxtui.config import ConfigError
from fxtui.protocol.schedule import carried_out, schedule_toml
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory, RunStore, summarise
from fxtui.text import numbers as fmt


class RunRow(Struct, frozen=True, kw_only=True):
    """One run in the list. ``status`` is finished, stopped, failed, running, interrupted or damaged."""

    name: str
    path: str
    status: str
    backbone: str | None = None
    epochs: int = 0
    best_val_accuracy: float | None = None
    seconds: float | None = None
    reason: str = ""


def runs(json: Json = False, runs: Runs = DEFAULT_RUNS) -> int:
    """List all runs, oldest first."""
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json
    from fxtui.cli.output.tables import Column, table_lines

    rows = [run_row(run) for run in RunStore(runs).list()]
    if json:
        for row in rows:
            print_json(row)
        return 0
    console = make_console()
    if not rows:
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
    for number, line in enumerate(table_lines(columns, [_cells(row) for row in rows])):
        console.print(line, style="" if number else "bold")
    return 0


def show(
    run: RunReference,
    schedule: Annotated[
        bool, typer.Option("--schedule", help="Print what was done while it trained, for another run to play back.")
    ] = False,
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
) -> int:
    """Summarise a run: what it trained on, every epoch, what was left out."""
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json

    found = RunStore(runs).find(run)
    state = found.load_state()
    if schedule:
        return _show_schedule(found, state, json)
    if json:
        print_json(details(found, state))
        return 0
    console = make_console()
    for number, line in enumerate(describe(found, state)):
        console.print(line, style="" if number else "bold")
    return 0


def run_row(run: RunDirectory) -> RunRow:
    """The row of a run: from its summary where there is one, else from its journal."""
    try:
        record = _summary(run) or summarise(run.load_state())
    except ConfigError as error:
        return RunRow(name=run.name, path=str(run.path), status="damaged", reason=str(error))
    return RunRow(
        name=run.name,
        path=str(run.path),
        status="running" if run.is_locked() else record["status"],
        backbone=record["backbone"],
        epochs=record["epochs"],
        best_val_accuracy=_best(record),
        seconds=record["seconds"],
        reason=record["reason"],
    )


def details(run: RunDirectory, state: RunState) -> dict[str, Any]:
    """The summary of a run with its history: what `show --json` prints."""
    record: dict[str, Any] = msgspec.to_builtins(summarise(state))
    keep = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds", "observation")
    return record | {
        "status": _status(run, state),
        "path": str(run.path),
        "parameters": state.parameters,
        "trainable_parameters": state.trainable_parameters,
        "trains": [row.path for row in state.layers if (row.is_stage or row.is_head) and row.trainable != "none"],
        "skipped": msgspec.to_builtins(state.skipped),
        "history": [{key: getattr(epoch, key) for key in keep} for epoch in state.epochs],
    }


def describe(run: RunDirectory, state: RunState) -> Iterator[str]:
    """A run's summary, one line after the other."""
    from fxtui.cli.following import report

    status = _status(run, state)
    yield f"{state.name or run.name}  {status}" + (f": {state.reason}" if state.reason else "")
    yield _fact("path", str(run.path))
    if state.started:
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(state.started))
        yield _fact("started", f"{started}, took {fmt.duration(state.elapsed)}")
    if data := state.data:
        text = f"{data.source}: {data.train:,} train, {data.val:,} validation, {len(data.classes):,} classes"
        yield _fact("data", text)
        if data.not_images:
            yield _fact("left out", f"{fmt.plural(data.not_images, 'file')}: not images")
    if model := state.model:
        yield _fact("model", f"{model.backbone} on {model.device}, {report.weights(model.weights)}")
    if state.layers:
        yield _fact("trains", report.trains(state))
    if state.best:
        yield _fact("best", f"epoch {state.best.epoch}, val {fmt.accuracy(state.best.val_accuracy)}")
    if state.epochs:
        yield ""
        yield report.EPOCH_HEADING
        yield from (report.epoch_row(epoch) for epoch in state.epochs)
    if state.marks:
        yield ""
        yield from (f"epoch {mark.epoch:.1f}  {mark.text}" for mark in state.marks)
    if state.skipped:
        yield ""
        yield f"{fmt.plural(len(state.skipped), 'file')} skipped"
        yield from (f"  {file.path}: {file.reason}" for file in state.skipped)


def _show_schedule(run: RunDirectory, state: RunState, json: bool) -> int:
    from fxtui.cli.output.json_lines import print_json
    from fxtui.cli.output.streams import complain

    entries, unclear = carried_out(state.commands)
    if json:
        for entry in entries:
            print_json(entry)
    else:
        # A comment in TOML holds no control characters, a directory's name may.
        name = "".join(sign if sign.isprintable() else "?" for sign in run.name)
        sys.stdout.write(f"# Carried out in {name}: put this in place of that run's own [[schedule]], if it has one.\n")
        sys.stdout.write(schedule_toml(entries))
    if unclear:
        complain(f"{fmt.plural(unclear, 'command')} left out: the journal does not say when, or with what")
    return 0


def _cells(row: RunRow) -> tuple[str, ...]:
    return (
        row.name,
        row.status,
        row.backbone or fmt.NONE,
        str(row.epochs) if row.epochs else fmt.NONE,
        fmt.accuracy(row.best_val_accuracy),
        fmt.duration(row.seconds),
    )


def _status(run: RunDirectory, state: RunState) -> str:
    if state.finished is None and run.is_locked():
        return "running"
    return state.finished.status if state.finished else "interrupted"


def _summary(run: RunDirectory) -> dict[str, Any] | None:
    try:
        record = msgspec.json.decode(run.summary.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        # Not ended, or written by a hand: the journal knows.
        return None
    return record if record.keys() >= summarise(RunState()).keys() else None


def _best(record: dict[str, Any]) -> float | None:
    best = msgspec.to_builtins(record["best"])
    return best["val_accuracy"] if best else None


def _fact(label: str, text: str) -> str:
    return f"{label:<10}{text}"
