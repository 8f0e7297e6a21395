"""The bench of faults: each kind tried, and how many of the runs survived."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fxtui.bench.faults.hostile import hostile_journals
from fxtui.bench.faults.processes import Processes
from fxtui.bench.faults.storage import StorageFault, storage_faults, try_fault
from fxtui.bench.faults.tiny import Losses, carry_out, tiny_config, wrongs
from fxtui.bench.rows import Row
from fxtui.bench.surroundings import scratch
from fxtui.config import parse_config
from fxtui.protocol.events import RunFinished
from fxtui.run.catalogue import Catalogue
from fxtui.run.journal import JournalWriter
from fxtui.run.nearby import look_around
from fxtui.run.store import RunStore
from fxtui.run.summary import read_summary
from fxtui.text import numbers as fmt

Try = Callable[[int, Path], list[str]]


@dataclass(frozen=True, slots=True)
class FaultOptions:
    """How often each fault is tried, and how many runs are killed."""

    rounds: int = 1
    kills: int = 6


def describe(options: FaultOptions) -> str:
    """What is tried."""
    times = fmt.plural(options.rounds, "time")
    return f"runs of three epochs on 75 digits; each fault {times}, {fmt.plural(options.kills, 'run')} killed"


def measure_faults(options: FaultOptions, say: Callable[[str], None]) -> Iterator[Row]:
    """A row for each kind of fault: ``baseline`` times tried, ``value`` times survived."""
    with scratch() as root:
        processes = Processes()
        expected = carry_out(tiny_config(), root / "undisturbed").losses
        for fault in storage_faults():

            def failing(number: int, folder: Path, fault: StorageFault = fault) -> list[str]:
                return try_fault(fault, number, folder, expected)

            yield _row(fault.case, options.rounds, failing, root, say)
        yield _row("journal on a device that is full", options.rounds, _full_device(expected), root, say)

        def short(_: int, folder: Path) -> list[str]:
            return processes.with_short_files(folder, expected)

        yield _row("no file longer than the system allows", options.rounds, short, root, say)
        seconds, whole = processes.whole(root / "whole")

        def killed(number: int, folder: Path) -> list[str]:
            return processes.killed(number, folder, seconds, whole)

        yield _row("killed at any moment and gone on with", options.kills, killed, root, say)
        for name, journal in hostile_journals():

            def hostile(_: int, folder: Path, journal: bytes = journal) -> list[str]:
                return _hidden_by(journal, folder)

            yield _row(f"journal of {name}", 1, hostile, root, say)


def _row(case: str, times: int, attempt: Try, root: Path, say: Callable[[str], None]) -> Row:
    survived = 0
    for number in range(times):
        with tempfile.TemporaryDirectory(dir=root) as folder:
            try:
                wrong = attempt(number, Path(folder))
            # Whatever comes out of a run is what is looked for here.
            except Exception as error:  # noqa: BLE001
                wrong = [f"{type(error).__name__}: {error}"]
        survived += not wrong
        for text in wrong:
            say(f"{case}, {number + 1} of {times}: {text}")
    return Row(
        bench="faults",
        case=case,
        baseline=times,
        value=survived,
        unit="runs",
        ratio=survived / times,
        budget=1.0,
        met=survived == times,
    )


def _full_device(expected: Losses) -> Try:
    def attempt(_: int, folder: Path) -> list[str]:
        outcome = carry_out(tiny_config(), folder, journal=Path("/dev/full"))
        outcome.run.journal.unlink()
        return wrongs(outcome, expected)

    return attempt


def _hidden_by(journal: bytes, root: Path) -> list[str]:
    """What a journal does to the list of runs that it stands in."""
    store = RunStore(root)
    good, bad = (
        store.create(parse_config({"name": name, "data": {"source": "digits"}}, [])) for name in ("good", "bad")
    )
    with JournalWriter(good.journal) as writer:
        writer.append(RunFinished(status="finished", best=None, final=None, timings={}, seq=0))
    bad.journal.write_bytes(journal)
    wrong = []
    listed = {entry.name: entry.status for entry in Catalogue(root).entries()}
    if listed.get(good.name) != "finished":
        wrong.append(f"another run is {listed.get(good.name)}")
    if listed.get(bad.name) not in ("damaged", "interrupted") or read_summary(bad).status != listed[bad.name]:
        wrong.append(f"it is {listed.get(bad.name)}")
    if len(look_around(root, root).runs) != 2:
        wrong.append("a run is not found")
    return wrong
