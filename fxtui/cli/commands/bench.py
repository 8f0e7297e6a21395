"""``fxtui bench``: fxtui measured side by side with plain PyTorch on the user's machine."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fxtui.cli.options import Json
from fxtui.cli.output.streams import complain

if TYPE_CHECKING:
    from fxtui.bench.rows import Row

# Every bench there is: its command and what it measures.
BENCHES = (
    ("train", "an epoch of training against the plain loop over the whole model, and their losses"),
    ("extract", "images a second of extraction against a DataLoader loop and the bare forward pass"),
    ("ui", "the dashboard from outside: first paint, bytes sent, answers to keys, and what it takes from training"),
    ("faults", "what runs survive: full disks, failing reads and writes, kills at any moment, hostile journals"),
)

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Device = Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.")]


@app.callback(invoke_without_command=True)
def bench(context: typer.Context) -> int:
    """Measure fxtui against plain PyTorch on this machine; exit status 1 if a budget is missed or results disagree."""
    if context.invoked_subcommand is None:
        from fxtui.cli.output.console import make_console
        from fxtui.cli.output.tables import Column, table_lines

        rows = [(f"fxtui bench {name}", about) for name, about in BENCHES]
        for number, line in enumerate(table_lines((Column("bench"), Column("measures")), rows)):
            make_console().print(line, style="" if number else "bold")
    return 0


@app.command("train", short_help=BENCHES[0][1])
def train(
    images: Annotated[int | None, typer.Option(min=20, help="Images in every case. Default: 160, demo 1000.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of the plain loop that count; one more warms up.")] = 3,
    size: Annotated[int | None, typer.Option(min=32, help="Pixels in every case. Default: 224, demo 64.")] = None,
    device: Device = "cpu",
    json: Json = False,
) -> int:
    """Seconds an epoch, and whether the losses of both sides agree: ResNet-18's layer4, its head, the demo's head."""
    from fxtui.bench.engine import training

    cases = training.train_cases(images, epochs, size, device)
    about = (training.describe(cases), f"baseline: {training.BASELINE}")
    return report(about, lambda: training.measure_training(cases, say), json)


@app.command("extract", short_help=BENCHES[1][1])
def extract(
    images: Annotated[int, typer.Option(min=20, help="Images from files, and as many in memory.")] = 192,
    rounds: Annotated[int, typer.Option(min=1, help="Times that each side computes all images.")] = 3,
    size: Annotated[int, typer.Option(min=32, help="Pixels.")] = 224,
    device: Device = "cpu",
    json: Json = False,
) -> int:
    """Images a second, and whether the features agree: JPEG files and images in memory, at precision auto and fp32."""
    from fxtui.bench.engine import extraction

    options = extraction.ExtractOptions(images, size, rounds, device)
    about = (extraction.describe(options), f"baseline: {extraction.BASELINE}")
    return report(about, lambda: extraction.measure_extraction(options, say), json)


@app.command("ui", short_help=BENCHES[2][1])
def ui(
    rounds: Annotated[int, typer.Option(min=1, help="Whole runs of each kind, headless and in the dashboard.")] = 7,
    presses: Annotated[int, typer.Option(min=4, help="Presses of each key.")] = 20,
    json: Json = False,
) -> int:
    """The demo in a terminal of 120x40: first paint, bytes a second, answers to keys, wall time beside headless."""
    from fxtui.bench.dashboard import measure

    options = measure.UiOptions(rounds=rounds, presses=presses)
    about = ("fxtui demo in a terminal of 120x40, its head alone and with features.8", f"baseline: {measure.BASELINE}")
    return report(about, lambda: measure.measure_ui(options, say), json)


@app.command("faults", short_help=BENCHES[3][1])
def faults(
    rounds: Annotated[
        int, typer.Option(min=1, help="Times that each fault is tried; those after the first at random.")
    ] = 1,
    kills: Annotated[int, typer.Option(min=1, help="Runs that are killed and gone on with.")] = 6,
    json: Json = False,
) -> int:
    """Runs whose storage fails in every way, that are killed, that lie beside damage: exit status 1 if any is lost."""
    from fxtui.bench.faults import measure

    options = measure.FaultOptions(rounds=rounds, kills=kills)
    return report((measure.describe(options),), lambda: measure.measure_faults(options, say), json)


def report(about: tuple[str, ...], measure: Callable[[], Iterable[Row]], json: bool) -> int:
    """Measure and print the rows, as JSON each when it is there, else as a table; returns the exit status.

    ``about`` stands above the table; with JSON it goes to standard error, as what goes on meanwhile does.
    """
    from fxtui.bench.rows import BenchError, exit_status
    from fxtui.bench.surroundings import busy_note
    from fxtui.cli.output.console import make_console
    from fxtui.cli.output.json_lines import JsonOutput

    if busy := busy_note():
        about = (*about, busy)
    rows: list[Row] = []
    # A bench that is told to end ends as by Ctrl+C, so that its temporary files go, too.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if json:
            for line in about:
                say(line)
            with closing(JsonOutput()) as output:
                for row in measure():
                    rows.append(row)
                    output.write(msgspec.json.encode(row))
        else:
            rows += measure()
    except BenchError as error:
        complain(str(error))
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    if not json:
        console = make_console()
        for line in about:
            console.print(line)
        for number, line in enumerate(lines_of(rows)):
            console.print(line, style="" if number else "bold")
    return exit_status(rows)


def lines_of(rows: Iterable[Row]) -> Iterator[str]:
    """The rows as a table, its heading first."""
    from fxtui.cli.output.tables import Column, table_lines

    rows = list(rows)
    if rows and rows[0].bench == "faults":
        counts = (Column("fault"), Column("tried", right=True), Column("survived", right=True), Column("met"))
        yield from table_lines(counts, [_fault_cells(row) for row in rows])
        return
    columns = (
        Column("case"),
        Column("baseline", right=True),
        Column("fxtui", right=True),
        Column("unit"),
        Column("ratio", right=True),
        Column("budget", right=True),
        Column("met"),
    )
    yield from table_lines(columns, [_cells(row) for row in rows])


def say(text: str) -> None:
    """What goes on, on standard error: measuring takes minutes."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _cells(row: Row) -> tuple[str, ...]:
    from fxtui.bench.rows import is_agreement
    from fxtui.text import numbers as fmt

    agrees = is_agreement(row)
    if row.bench == "ui":
        return _limit_cells(row)
    digits = "{:.6f}" if agrees else "{:.4f}" if row.unit == "s" else "{:,.1f}"
    ratio = f"{row.ratio:.1e}" if agrees else f"{row.ratio:,.2f}x"
    budget = fmt.NONE if row.budget is None else f"{row.budget:.0e}" if agrees else f"{row.budget:g}x"
    met = fmt.NONE if row.met is None else "yes" if row.met else "NO"
    return (row.case, digits.format(row.baseline), digits.format(row.value), row.unit, ratio, budget, met)


def _fault_cells(row: Row) -> tuple[str, ...]:
    return (row.case, f"{row.baseline:.0f}", f"{row.value:.0f}", "yes" if row.met else "NO")


def _limit_cells(row: Row) -> tuple[str, ...]:
    from fxtui.text import numbers as fmt

    digits = "{:.2f}" if row.unit == "s" else "{:,.1f}"
    ratio = f"{row.ratio:,.2f}x" if row.baseline else fmt.NONE
    unit = "x" if row.unit == "s" else f" {row.unit}"
    budget = fmt.NONE if row.budget is None else f"at most {row.budget:g}{unit}"
    met = fmt.NONE if row.met is None else "yes" if row.met else "NO"
    return (row.case, digits.format(row.baseline), digits.format(row.value), row.unit, ratio, budget, met)
