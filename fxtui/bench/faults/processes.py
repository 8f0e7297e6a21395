"""Runs in processes of their own: killed at any moment and gone on with, or allowed only short files."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fxtui.bench.faults.tiny import Losses, agree, carry_out, go_on, losses_of, tiny_config, wrongs
from fxtui.bench.rows import BenchError
from fxtui.config import ConfigError
from fxtui.engine.checkpoints import writer
from fxtui.run.store import RunDirectory, RunStore

# Each epoch and each batch is kept, so that most moments are in the middle of writing.
_OFTEN = ("train.epochs=12", "session.checkpoint_minutes=0.00001")
_PATIENCE = 120.0
# Bytes: a checkpoint is longer, and so is a journal in the end.
_SHORT_FILES = 6000


class Processes:
    """Makes processes that have loaded what a run needs, each from one that does nothing else."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])

    def whole(self, folder: Path) -> tuple[float, Losses]:
        """How long a run takes that nobody kills, and its losses."""
        seconds, losses = self._result(_whole, folder)
        return seconds, losses

    def killed(self, number: int, folder: Path, seconds: float, expected: Losses) -> list[str]:
        """Kill a run at a random moment, go on with it to its end, and say what was wrong with it."""
        _, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_whole, args=(str(folder), theirs))
        process.start()
        process.join(random.Random(number).uniform(0.0, seconds))
        process.kill()
        process.join()
        wrong: list[str] = self._result(_going_on, folder, expected)
        return wrong

    def with_short_files(self, folder: Path, expected: Losses) -> list[str]:
        """A run that may write only short files, by the system's own limit."""
        wrong: list[str] = self._result(_limited, folder, expected)
        return wrong

    def _result(self, work: Callable[..., None], folder: Path, *args: object) -> Any:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(str(folder), theirs, *args))
        process.start()
        theirs.close()
        try:
            if not ours.poll(_PATIENCE):
                raise BenchError("a run in a process of its own does not end")
            return ours.recv()
        except EOFError:
            process.join()
            raise BenchError(f"a process with a run in it ended with {process.exitcode}") from None
        finally:
            process.kill()
            process.join()


def _whole(folder: str, answer: Connection) -> None:
    _prepare(folder)
    started = time.monotonic()
    outcome = carry_out(tiny_config(*_OFTEN), Path(folder, "runs"))
    answer.send((time.monotonic() - started, outcome.losses))


def _going_on(folder: str, answer: Connection, expected: Losses) -> None:
    _prepare(folder)
    runs = RunStore(Path(folder, "runs")).list()
    # Killed before its first checkpoint, it had nothing to lose yet.
    answer.send(_wrong_with(runs[0], expected) if runs and runs[0].has_checkpoint else [])


def _wrong_with(run: RunDirectory, expected: Losses) -> list[str]:
    if run.is_locked():
        return ["the lock of a run that was killed is held"]
    try:
        state = run.load_state()
        if not state.finished:
            go_on(run)
            state = run.load_state()
    except ConfigError as error:
        return [str(error)]
    if state.phase != "finished":
        return [f"the run {state.phase}: {state.reason}"]
    left = [path.name for path in run.path.rglob(".*") if path.name != ".lock"]
    wrong = [f"left behind: {', '.join(left)}"] if left else []
    return wrong if agree(losses_of(state), expected) else [*wrong, "its losses are others"]


def _limited(folder: str, answer: Connection, expected: Losses) -> None:
    os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_SHORT_FILES, resource.RLIM_INFINITY))
    outcome = carry_out(tiny_config(), Path(folder, "runs"))
    # Of the cache, of a checkpoint and of the journal, each once.
    answer.send(wrongs(outcome, expected, most_warnings=3))


def _prepare(folder: str) -> None:
    os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
    writer._SECONDS_BETWEEN, writer._WRITE_SHARE = 0.0, 1e9
