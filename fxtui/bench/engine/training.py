"""An epoch of fxtui against an epoch of the plain loop, turn by turn in one run, and whether their losses agree."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fxtui.bench.engine.plain import EpochResult, PlainTraining
from fxtui.bench.rows import BenchError, Row, agreement_row, seconds_row
from fxtui.bench.surroundings import scratch
from fxtui.config import RunConfig, parse_config
from fxtui.engine.devices import resolve_device
from fxtui.engine.job import run_job
from fxtui.machine.cpu import cpu_count
from fxtui.protocol.commands import Stop
from fxtui.protocol.events import EpochEnd, Event, RunFinished
from fxtui.run.journal import JournalWriter
from fxtui.run.session.link import EngineLink
from fxtui.run.store import RunDirectory, RunStore
from fxtui.text import numbers as fmt

BENCH = "train"
BASELINE = "the plain loop: the whole model on every image in every epoch, images in memory, the same batches"
# Relative, of every epoch's training and validation loss.
LOSS_TOLERANCE = 1e-5
# An epoch of a head is over in milliseconds, and a run does one after the other: most are not to come right after the
# plain loop has filled the processor's caches with something else.
_HEAD_EPOCHS = 10
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class TrainCase:
    """What is trained, and how many times as fast as the plain loop fxtui must be; None: that is only said.

    The plain loop has a turn after every ``every`` epochs of fxtui's, ``turns`` in all.
    """

    name: str
    config: RunConfig
    budget: float | None
    turns: int
    every: int = 1


def train_cases(images: int | None, epochs: int, size: int | None, device: str) -> tuple[TrainCase, ...]:
    """The cases, each with ``images`` of ``size`` pixels, None: its own. ``epochs`` of the plain loop are counted.

    Raises:
        ConfigError: there is no such kind of device, or a number is out of range.
    """
    turns = epochs + 1

    def case(backbone: str, weights: str, trains: str, limit: int, pixels: int, budget: float | None) -> TrainCase:
        every = _HEAD_EPOCHS if trains == "head" else 1
        tree: dict[str, Any] = {
            "name": f"bench-{backbone}",
            "device": device,
            "data": {"source": "digits", "limit": images or limit, "image_size": size or pixels},
            "model": {"backbone": backbone, "weights": weights},
            "freeze": {"trainable": [] if trains == "head" else [trains]},
            "train": {"epochs": turns * every, "precision": "fp32"},
        }
        name = f"{backbone} {size or pixels} px, {trains}"
        return TrainCase(name, parse_config(tree, [], where="bench"), budget, turns, every)

    return (
        case("resnet18", "none", "layer4", 160, 224, 2.5),
        case("resnet18", "none", "head", 160, 224, 100.0),
        # At 64 pixels the head's own arithmetic, dropout masks for the most part, is a seventieth of the backbone's.
        case("efficientnet_lite0", "default", "head", 1000, 64, None),
    )


def describe(cases: tuple[TrainCase, ...]) -> str:
    """Device, threads, dtype, images and epochs, in one line.

    Raises:
        ConfigError: there is no such device here.
    """
    first = cases[0].config
    counts = " / ".join(f"{case.config.data.limit:,}" for case in cases)
    return (
        f"{resolve_device(first.device)}, {fmt.plural(cpu_count(), 'thread')}, {first.train.precision}, "
        f"{counts} images, train and validate: best of {fmt.plural(cases[0].turns - 1, 'epoch')} after one to warm up"
    )


def measure_training(cases: tuple[TrainCase, ...], say: Callable[[str], None]) -> Iterator[Row]:
    """Measure the cases one after the other: rows of seconds an epoch, and of the losses on both sides.

    ``say`` is told, in a line now and then, what goes on.

    Raises:
        BenchError: a run failed.
        ConfigError: a case cannot be run as it is configured.
    """
    for case in cases:
        say(case.name)
        with scratch() as folder:
            yield from rows_of(case, take_turns(case, folder, say))


@dataclass(frozen=True, slots=True)
class Measured:
    """The epochs of both sides in order; fxtui has more of them where it trains a head alone."""

    plain: tuple[EpochResult, ...]
    ours: tuple[EpochEnd, ...]


def rows_of(case: TrainCase, measured: Measured) -> Iterator[Row]:
    """The rows of a case. The first turn, which warms caches and allocators up, does not count on either side.

    Where fxtui has several epochs in a turn their median stands for them, so that neither side has more tries.
    """
    plain, ours = measured.plain, measured.ours
    turns = [ours[at : at + case.every] for at in range(0, len(ours), case.every)]
    fast = [median(epoch.seconds for epoch in turn) for turn in turns]
    yield seconds_row(BENCH, f"{case.name}: epoch", [epoch.seconds for epoch in plain[1:]], fast[1:], case.budget)
    for kind, name in (("train", "train_loss"), ("validation", "val_loss")):
        expected = [getattr(epoch, name) for epoch in plain]
        got = [getattr(epoch, name) for epoch in ours[: len(plain)]]
        yield agreement_row(BENCH, f"{case.name}: {kind} loss", "loss", expected, got, LOSS_TOLERANCE)


def take_turns(case: TrainCase, folder: Path, say: Callable[[str], None]) -> Measured:
    """Carry out a real run, and epochs of the plain loop between its own.

    So both sides meet the same weather on a busy machine, in one thread and never at the same time.

    Raises:
        BenchError: the run failed.
        ConfigError: the configuration cannot be run.
    """
    plain = PlainTraining(case.config)
    run = RunStore(folder / "runs").create(case.config)
    link = _TurnTaking(run, plain, case.every, say)
    said = link.subscribe()
    thread = threading.Thread(target=run_job, args=(case.config, link), name="fxtui-engine")
    thread.start()
    finished: RunFinished | None = None
    try:
        while finished is None and thread.is_alive():
            said.wait(_POLL_SECONDS)
            finished = next((e for e in said.take().events if isinstance(e, RunFinished)), None)
    except BaseException:
        link.put_command(Stop(when="now", interrupted=True))
        raise
    finally:
        thread.join()
    finished = finished or next((e for e in said.take().events if isinstance(e, RunFinished)), None)
    if finished is None or finished.status != "finished":
        raise BenchError(f"the run came to no end: {finished.reason if finished else 'it said nothing'}")
    return Measured(tuple(link.plain), tuple(link.ours))


class _TurnTaking(EngineLink):
    """The engine's link of a run which, when an epoch ends, has the plain loop do its own before the run goes on."""

    def __init__(self, run: RunDirectory, loop: PlainTraining, every: int, say: Callable[[str], None]) -> None:
        super().__init__(run, JournalWriter(run.journal))
        self.plain: list[EpochResult] = []
        self.ours: list[EpochEnd] = []
        self._loop = loop
        self._every = every
        self._say = say

    def emit(self, event: Event) -> None:
        """Emit, and after an epoch take the other side's turn if it is due."""
        super().emit(event)
        if not isinstance(event, EpochEnd):
            return
        self.ours.append(event)
        if event.epoch % self._every == 0 and (result := self._loop.epoch(self.has_command)) is not None:
            self.plain.append(result)
            self._say(f"  epoch {len(self.plain)}: plain {result.seconds:.2f} s, fxtui {event.seconds:.4f} s")
