"""Runs on disk: their directories, and how one is found by what a user types."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from fxtui.config import ConfigError, RunConfig, load_config, to_toml
from fxtui.run.journal import JournalError, read_journal
from fxtui.run.state import RunState, fold

_LOCK_ATTEMPTS, _LOCK_PAUSE = 5, 0.02
_LOCK_NAME = ".lock"
# How every journal begins: the tag comes first, and no other event comes before this one.
_BEGINNING = b'{"type":"run_started"'


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
        """Whether there is a checkpoint to go on from, be it the one that is just being replaced."""
        return any((self.checkpoints / name).is_dir() for name in ("last", ".last.old"))

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

    def is_locked(self) -> bool:
        """Whether some process is writing to this run now."""
        try:
            file = os.open(self.path / _LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            # Shared, so that two who ask do not take each other for a writer.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False


class RunLock:
    """The right to write to a run, held by one process and given back when it ends, however it ends.

    Raises:
        RunLockedError: another process holds it.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._file = os.open(run.path / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for attempt in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                # Who asks whether there is a writer holds the file for a moment, too.
                if attempt < _LOCK_ATTEMPTS - 1:
                    time.sleep(_LOCK_PAUSE)
        os.close(self._file)
        raise RunLockedError(f"{run.name}: another process is writing to this run")

    def release(self) -> None:
        """Give the lock back. Doing so twice is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


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
                    path.mkdir()
                except FileExistsError:
                    continue
                run = RunDirectory(path)
                # Before anything else: the sign that it is a run, and no folder of the user's with a configuration.
                (path / _LOCK_NAME).touch(0o600)
                run.config.write_text(to_toml(config), encoding="utf-8")
                return run
        except OSError as error:
            raise ConfigError(f"--runs {self.root}: cannot be written: {error.strerror}") from None
        raise ConfigError(f"--runs {self.root}: too many runs named {base}")

    def list(self) -> list[RunDirectory]:
        """Every run, oldest first; a folder that only holds a configuration is none."""
        if not self.root.is_dir():
            return []
        found: list[tuple[int, str, RunDirectory]] = []
        for path in self.root.iterdir():
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


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file or nothing: to a temporary name, to the disk, then renamed over the old one."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name, flags=re.UNICODE).strip("-.")


def plain_name(name: str) -> str:
    """A run's name without the time that its directory begins with."""
    return re.sub(r"^\d{8}-\d{4}-", "", name)
