"""Runs on disk: their directories, and how one is found by what a user types."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from fxtui.config import ConfigError, RunConfig, load_config, to_toml
from fxtui.run.journal import JournalError, printable, read_journal
from fxtui.run.lock import FileLock, HeldElsewhereError, is_held
from fxtui.run.state import RunState, fold
from fxtui.run.storage import make_private, open_private, temporary_name, write_atomically

_LOCK_NAME = ".lock"
# How every journal begins: the tag comes first, and no other event comes before this one.
_BEGINNING = b'{"type":"run_started"'
# What a journal that is no run's can make of the figures that are folded from it.
NONSENSE = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError)


class RunLockedError(RuntimeError):
    """Another process is writing to this run."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The directory of one run and the paths in it."""

    path: Path

    @property
    def name(self) -> str:
        """The directory's name, which is the run's."""
        return self.path.name

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.toml"

    @property
    def journal(self) -> Path:
        """The journal of events."""
        return self.path / "events.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder that holds ``last`` and ``best``."""
        return self.path / "checkpoints"

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint to go on from, be it an earlier one or one that is just being replaced."""
        names = ("last", ".last.old", "best", ".best.old")
        return any((self.checkpoints / name).is_dir() for name in names)

    @property
    def summary(self) -> Path:
        """The summary, there once the run has ended."""
        return self.path / "summary.json"

    @property
    def has_begun(self) -> bool:
        """Whether its journal begins as fxtui begins one: the sign that all of this directory is a run's."""
        try:
            with self.journal.open("rb") as file:
                return file.read(len(_BEGINNING)) == _BEGINNING
        except OSError:
            return False

    @property
    def is_run(self) -> bool:
        """Whether fxtui made this directory. A run that just begins has a lock and no journal yet."""
        return (self.path / _LOCK_NAME).is_file() or self.has_begun

    def load_config(self) -> RunConfig:
        """The run's configuration.

        Raises:
            ConfigError: it is missing or damaged.
        """
        if self.config.exists() and not self.config.is_file():
            raise ConfigError(f"{self.config}: not a file")
        return load_config(self.config)

    def load_state(self) -> RunState:
        """The run's state, replayed from its journal.

        Raises:
            ConfigError: the journal is missing, damaged or cannot be read.
        """
        try:
            return fold(read_journal(self.journal))
        except FileNotFoundError:
            raise ConfigError(f"{self.path}: has no events.jsonl, so it is not a run") from None
        except OSError as error:
            raise ConfigError(f"{self.journal}: cannot be read: {error.strerror}") from None
        except JournalError as error:
            raise ConfigError(str(error)) from None
        except NONSENSE as error:
            raise ConfigError(f"{self.journal}: makes no sense: {printable(str(error))}") from None

    @property
    def lock(self) -> Path:
        """The file that whoever writes to the run holds."""
        return self.path / _LOCK_NAME

    def is_locked(self) -> bool:
        """Whether some process is writing to this run now."""
        return is_held(self.lock)

    def begin(self) -> None:
        """Remove what an earlier end of the run left that does not hold any more. Its lock is held by who asks."""
        for path in (self.summary, temporary_name(self.summary), temporary_name(self.config)):
            # Where it cannot be removed, it is known to be old by its time.
            with contextlib.suppress(OSError):
                path.unlink()


class RunLock:
    """The right to write to a run, held by one process and given back when it ends, however it ends.

    Raises:
        RunLockedError: another process holds it.
        ConfigError: the run's directory cannot be written.
    """

    def __init__(self, run: RunDirectory) -> None:
        try:
            self._lock = FileLock(run.lock)
        except HeldElsewhereError as error:
            raise RunLockedError(f"{run.name}: {error}") from None
        except OSError as error:
            raise ConfigError(f"{run.lock}: cannot be written: {error.strerror}") from None

    def release(self) -> None:
        """Give the lock back. Doing so twice is harmless."""
        self._lock.release()


class RunStore:
    """All runs below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, config: RunConfig, now: float | None = None) -> RunDirectory:
        """A new run directory with its configuration written, named by time and the configuration's name.

        Raises:
            ConfigError: the directory cannot be written.
        """
        stamp = time.strftime("%Y%m%d-%H%M", time.localtime(now))
        base = f"{stamp}-{_slug(config.name or Path(config.data.source).stem) or 'run'}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for number in range(1, 10_000):
                path = self.root / (base if number == 1 else f"{base}-{number}")
                try:
                    make_private(path, share=config.session.share)
                except FileExistsError:
                    continue
                return self._begun(RunDirectory(path), config)
        except OSError as error:
            raise ConfigError(f"--runs {self.root}: cannot be written: {error.strerror}") from None
        raise ConfigError(f"--runs {self.root}: too many runs named {base}")

    @staticmethod
    def _begun(run: RunDirectory, config: RunConfig) -> RunDirectory:
        try:
            # Before anything else: the sign that it is a run, and no folder of the user's with a configuration.
            os.close(open_private(run.lock, os.O_WRONLY | os.O_CREAT))
            write_atomically(run.config, to_toml(config).encode())
        except BaseException:
            shutil.rmtree(run.path, ignore_errors=True)
            raise
        return run

    def list(self) -> list[RunDirectory]:
        """Every run, oldest first; a folder that only holds a configuration is none."""
        try:
            paths = tuple(self.root.iterdir())
        except OSError:
            return []
        found: list[tuple[int, str, RunDirectory]] = []
        for path in paths:
            run = RunDirectory(path)
            # Another process may remove a run at any time.
            with contextlib.suppress(OSError):
                written = run.config.stat().st_mtime_ns
                if run.is_run:
                    found.append((written, run.name, run))
        return [run for *_, run in sorted(found, key=lambda entry: entry[:2])]

    def find(self, reference: str) -> RunDirectory:
        """The run that a user means: a directory, a name, a unique prefix (with or without its time), or ``last``.

        Raises:
            ConfigError: there is none, or more than one.
        """
        named = RunDirectory(Path(reference))
        if named.config.is_file() and named.is_run:
            return named
        runs = self.list()
        if not runs:
            raise ConfigError(f"RUN {reference}: no runs in {self.root}; start one with fxtui train CONFIG")
        if reference == "last":
            return runs[-1]
        for name_of in (str, plain_name):
            if exact := [run for run in runs if name_of(run.name) == reference]:
                return exact[-1]
        matches = [run for run in runs if any(n.startswith(reference) for n in (run.name, plain_name(run.name)))]
        if len(matches) == 1:
            return matches[0]
        if matches:
            shown = ", ".join(run.name for run in matches[-4:])
            raise ConfigError(f"RUN {reference}: matches {len(matches)} runs: {shown}; give more of the name")
        raise ConfigError(f"RUN {reference}: not found in {self.root}; the last run is {runs[-1].name}")


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name, flags=re.UNICODE).strip("-.")


def plain_name(name: str) -> str:
    """A run's name without the time that its directory begins with."""
    return re.sub(r"^\d{8}-\d{4}-", "", name)
