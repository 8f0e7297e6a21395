"""``fxtui show``: what one run did, from its journal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from fxtui.cli.options import DEFAULT_RUNS, Json, RunReference, Runs
from fxtui.protocol.schedule import carried_out, schedule_toml

if TYPE_CHECKING:
    from fxtui.run.state import RunState
    from fxtui.run.store import RunDirectory


def show(
    run: RunReference,
    schedule: Annotated[
        bool, typer.Option("--schedule", help="Print what was done while it trained, for another run to play back.")
    ] = False,
    line: Annotated[
        bool, typer.Option("--line", help="Say in one short line how it is going, e.g. for tmux's status line.")
    ] = False,
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
) -> int:
    """Summarise a run: what it trained on, every epoch, what was left out."""
    from fxtui.run.store import RunStore

    found = RunStore(runs).find(run)
    if line:
        return _show_line(found, json)
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import print_json

    state = found.load_state()
    if schedule:
        return _show_schedule(found, state, json)
    if json:
        print_json(details(found, state))
        return 0
    console = make_console()
    for number, told in enumerate(describe(found, state)):
        console.print(told, style="" if number else "bold")
    return 0


def details(run: RunDirectory, state: RunState) -> dict[str, Any]:
    """The summary of a run with its history: what `show --json` prints."""
    from fxtui.cli.following import report
    from fxtui.run.summary import summarise, summary_of

    record: dict[str, Any] = msgspec.to_builtins(summarise(state))
    keep = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds", "observation")
    summary = summary_of(state, run, locked=run.is_locked())
    return record | {
        "status": summary.status,
        "path": str(run.path),
        "best_val_accuracy": summary.best_accuracy,
        "pid": summary.pid or None,
        "host": summary.host or None,
        "back_with": report.way_back(run, summary.status) or None,
        "parameters": state.parameters,
        "trainable_parameters": state.trainable_parameters,
        "trains": [row.path for row in state.layers if (row.is_stage or row.is_head) and row.trainable != "none"],
        "skipped": msgspec.to_builtins(state.skipped),
        "history": [{key: getattr(epoch, key) for key in keep} for epoch in state.epochs],
    }


def describe(run: RunDirectory, state: RunState) -> Iterator[str]:
    """A run's summary, one line after the other."""
    from fxtui.cli.following import report
    from fxtui.run.summary import progress_of, summary_of, where_it_runs
    from fxtui.text import numbers as fmt

    summary = summary_of(state, run, locked=run.is_locked())
    yield f"{state.name or run.name}  {summary.status}" + (f": {summary.reason}" if summary.reason else "")
    yield _fact("path", str(run.path))
    if way := report.way_back(run, summary.status):
        best = f", best so far {fmt.accuracy(summary.best_accuracy)}" if summary.best_accuracy is not None else ""
        yield _fact("progress", f"{progress_of(summary)}{best}")
        if summary.pid:
            yield _fact("process", where_it_runs(summary) + (" is gone" if summary.status == "interrupted" else ""))
        yield _fact("back with", way)
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


def _show_line(run: RunDirectory, json: bool) -> int:
    """Nothing that it does not need is imported or read: it may be asked for every few seconds."""
    from fxtui.run.notices.words import running_line, summary_line
    from fxtui.run.progress import ProgressReader
    from fxtui.run.summary import read_summary

    reader = ProgressReader(run)
    summary = read_summary(run, reader)
    text = running_line(reader.state) if summary.status == "running" else summary_line(summary)
    if json:
        from fxtui.cli.output.json_lines import print_json

        print_json({"name": run.name, "status": summary.status, "line": text})
    else:
        sys.stdout.write(text + "\n")
    return 0


def _show_schedule(run: RunDirectory, state: RunState, json: bool) -> int:
    from fxtui.cli.output.json_lines import print_json
    from fxtui.cli.output.streams import complain
    from fxtui.text import numbers as fmt

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


def _fact(label: str, text: str) -> str:
    return f"{label:<10}{text}"
