"""The measurements of ``fxtui bench ui``: first paint, bytes, keys, and what an open dashboard takes from training."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fxtui.bench.dashboard.figures import count_of, has_ended, limit_row, moments, percentile, seconds_between, wall_row
from fxtui.bench.dashboard.pseudo_terminal import PseudoTerminal, dashboard_arguments
from fxtui.bench.rows import BenchError, Row
from fxtui.bench.surroundings import scratch
from fxtui.text.glyphs import PENDING
from fxtui.tui.dashboard.actions import SCREENS

FIRST_PAINT_MS, BYTES_A_SECOND, ANSWER_MS, SCREEN_MS = 700.0, 1500.0, 50.0, 120.0
_LIMITS = {"cursor": ANSWER_MS, "fold": ANSWER_MS, "toggle": ANSWER_MS, "screen": SCREEN_MS}
DURING_WORK, HEAD_ONLY = 1.03, 1.15
BASELINE = "the same key while the run is paused; the same run headless; for the first paint, importing textual"
# The background of the selected row in the dark theme: it is sent when the cursor moves, and with no figure.
_SELECTION = b"48;2;43;58;82"
# Every screen but the one that is open, and back.
_SCREEN_KEYS = [*list(enumerate(SCREENS, 1))[1:], (1, "main")]
# Pixels: at its own size the demo extracts in less time than the machine is steady for.
_LARGE = 160
_THAWED = 'freeze.trainable=["features.8"]'


@dataclass(frozen=True, slots=True)
class _Key:
    """A key, what is drawn in answer to it, and the type of the event by which the engine answers, if it does."""

    key: bytes
    mark: bytes
    event: str = ""


_ASKED = PENDING.encode()
# Keys that are pressed in turn. The last ones put things back.
_KEYS: dict[str, tuple[_Key, ...]] = {
    "cursor": (_Key(b"\x1b[B", _SELECTION), _Key(b"\x1b[A", _SELECTION)),
    "fold": (_Key(b"\x1b[C", "▾".encode()), _Key(b"\x1b[D", "▸".encode())),
    "toggle": (_Key(b" ", _ASKED, "freeze_changed"), _Key(b" ", _ASKED, "freeze_changed")),
    "screen": tuple(_Key(str(n).encode(), f"{n} {SCREENS[name]}".encode()) for n, name in _SCREEN_KEYS),
}


@dataclass(frozen=True, slots=True)
class _Case:
    """A run that is timed from the first event of one type to the last of another, and its limit beside headless."""

    name: str
    first: str
    last: str
    settings: tuple[str, ...]
    limit: float = DURING_WORK


@dataclass(frozen=True, slots=True)
class UiOptions:
    """How much is measured: seconds of traffic, presses of each key, rounds and epochs of whole runs."""

    seconds: float = 8.0
    presses: int = 20
    rounds: int = 7
    head_epochs: int = 150
    thawed_epochs: int = 25


def measure_ui(options: UiOptions, say: Callable[[str], None]) -> Iterator[Row]:
    """All rows, each as soon as it is there.

    Raises:
        BenchError: the dashboard did not answer, or a run failed.
    """
    with scratch() as folder:
        yield from _first_paint(folder, say)
        resting: dict[str, list[float]] = {}
        for case, settings in (("head", ()), ("features.8", ("--set", _THAWED))):
            yield from _while_training(case, settings, folder, options, resting, say)
        yield from _whole_runs(folder, options, say)


def _first_paint(folder: Path, say: Callable[[str], None]) -> Iterator[Row]:
    say("first paint")
    plain, painted, early = [], [], []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
        plain.append((time.perf_counter() - start) * 1e3)
        with _dashboard(folder, "--set", "train.epochs=1") as terminal:
            painted.append((terminal.wait_for(b"fxtui") - terminal.started) * 1e3)
            early.append(terminal.maps("libtorch"))
    yield limit_row("first paint", percentile(plain, 0.5), percentile(painted, 0.5), "ms", FIRST_PAINT_MS)
    if None not in early:
        yield limit_row("torch loaded at first paint", 0.0, float(sum(map(bool, early))), "runs", 0.0)


def _while_training(
    case: str,
    settings: tuple[str, ...],
    folder: Path,
    options: UiOptions,
    resting: dict[str, list[float]],
    say: Callable[[str], None],
) -> Iterator[Row]:
    say(f"bytes and keys while {case} trains")
    runs = folder / f"bytes-{case}"
    with _dashboard(runs, "--set", "train.epochs=100000", *settings) as terminal:
        _wait_for_epochs(terminal, runs, 2)
        terminal.drain(2.0)
        sent = terminal.drain(options.seconds) / options.seconds
        busy = _all_answers(terminal, _journal(runs), options.presses)
        if not resting:
            terminal.press(b"p")
            terminal.wait_for(b"paused")
            terminal.drain(2.0)
            resting.update(_all_answers(terminal, _journal(runs), options.presses))
            terminal.press(b"p")
        terminal.press(b"s")
        _wait_for_end(terminal, runs)
        # The last notice goes by itself; after it nothing changes.
        terminal.drain(6.0)
        idle = terminal.drain(4.0) / 4.0
    yield limit_row(f"{case} trains: sent", idle, sent, "B/s", BYTES_A_SECOND)
    yield limit_row(f"{case} ended: sent", 0.0, idle, "B/s", 0.0)
    for name, answers in busy.items():
        for share, budget in ((0.5, None), (0.95, _LIMITS.get(name))):
            before, now = (percentile(found, share) * 1e3 for found in (resting[name], answers))
            yield limit_row(f"{case} trains: {name} p{share * 100:.0f}", before, now, "ms", budget)


def _whole_runs(folder: Path, options: UiOptions, say: Callable[[str], None]) -> Iterator[Row]:
    cases = (
        _Case("extraction", "extraction_progress", "cache_ready", (f"data.image_size={_LARGE}", "train.epochs=1")),
        _Case("features.8", "cache_ready", "epoch_end", (f"train.epochs={options.thawed_epochs}", _THAWED)),
        _Case("head", "cache_ready", "epoch_end", (f"train.epochs={options.head_epochs}",), HEAD_ONLY),
    )
    for case in cases:
        times: dict[bool, list[float]] = {False: [], True: []}
        for number in range(options.rounds):
            # Which goes first changes: what the machine does meanwhile then meets both alike.
            for shown in (False, True) if number % 2 == 0 else (True, False):
                settings = [word for setting in case.settings for word in ("--set", setting)]
                events = _run(folder / f"{case.name}-{shown}-{number}", settings, shown)
                times[shown].append(seconds_between(events, case.first, case.last))
            hidden, seen = (f"{times[shown][-1]:.2f} s" for shown in (False, True))
            say(f"round {number + 1} of {options.rounds}: {case.name} {hidden} headless, {seen} in the dashboard")
        yield wall_row(f"{case.name}: dashboard open", times[False], times[True], case.limit)


def _run(runs: Path, settings: Sequence[str], shown: bool) -> list[tuple[str, float]]:
    if shown:
        with _dashboard(runs, *settings) as terminal:
            _wait_for_end(terminal, runs)
    else:
        arguments = dashboard_arguments("demo", "--headless", "--runs", str(runs), *settings)
        done = subprocess.run(arguments, env=_environment(runs), capture_output=True, check=False)
        if done.returncode:
            raise BenchError(f"the headless run failed: {done.stderr.decode(errors='replace').strip()}")
    return moments(_journal(runs))


def _all_answers(terminal: PseudoTerminal, journal: Path, presses: int) -> dict[str, list[float]]:
    """Seconds from each press to its answer, and to what the engine did, by what was pressed."""
    found: dict[str, list[float]] = {}
    for name, keys in _KEYS.items():
        # Each round is whole, so that everything stands as it did.
        for number in range(-(-presses // len(keys)) * len(keys)):
            key = keys[number % len(keys)]
            before = count_of(journal, key.event) if key.event else 0
            at = terminal.press(key.key)
            found.setdefault(name, []).append(terminal.wait_for(key.mark, 10) - at)
            if key.event:
                done = _wait_for_more(terminal, journal, key.event, before)
                found.setdefault(f"{name} carried out", []).append(done - at)
            # At no fixed place between two frames.
            terminal.drain(0.11 + 0.037 * (number % 7))
    return found


def _wait_for_more(terminal: PseudoTerminal, journal: Path, kind: str, before: int) -> float:
    return terminal.wait_until(lambda: count_of(journal, kind) > before, kind)


@contextlib.contextmanager
def _dashboard(runs: Path, *settings: str) -> Iterator[PseudoTerminal]:
    arguments = dashboard_arguments("demo", "--theme", "dark", "--runs", str(runs), *settings)
    terminal = PseudoTerminal(arguments, _environment(runs))
    try:
        yield terminal
    finally:
        terminal.close()


def _environment(runs: Path) -> dict[str, str]:
    # A cache for each run: none finds the features of another.
    return {**os.environ, "XDG_CACHE_HOME": str(runs / "cache")}


def _wait_for_epochs(terminal: PseudoTerminal, runs: Path, count: int) -> None:
    def there() -> bool:
        return [kind for kind, _ in moments(_journal(runs))].count("epoch_end") >= count

    terminal.wait_until(there, f"{count} epochs")


def _wait_for_end(terminal: PseudoTerminal, runs: Path) -> None:
    terminal.wait_until(lambda: has_ended(_journal(runs)), "the end of the run", 300, every=0.2)


def _journal(runs: Path) -> Path:
    return next(runs.glob("*/events.jsonl"), runs / "events.jsonl")
