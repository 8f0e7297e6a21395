"""Removal of runs: of what fxtui made and nobody writes to, and of nothing else."""

from __future__ import annotations

import os
import shutil

from fxtui.config import ConfigError
from fxtui.run.store import RunDirectory, RunLock


def check_removable(run: RunDirectory) -> None:
    """Refuse what is not surely a run: a directory whose journal begins as fxtui begins one.

    Raises:
        ConfigError: it is a link, or its journal is missing or another's.
    """
    if run.path.is_symlink():
        raise ConfigError(f"{run.path}: is a link, so it stays; give the run that it points to")
    if not run.has_begun:
        raise ConfigError(
            f"{run.path}: has no events.jsonl that begins with run_started, so it may be no run and stays"
        )


def remove_run(run: RunDirectory) -> None:
    """Remove a run's directory, while no other process may write to it. Links in it go, what they point to stays.

    Raises:
        ConfigError: it is not surely a run.
        RunLockedError: another process writes to it now.
        OSError: something in it cannot be removed; what is left is still a run, to be removed again.
    """
    check_removable(run)
    path = run.path.resolve()
    lock = RunLock(run)
    try:
        last = [run.config.name, ".lock", run.journal.name]
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: last.index(entry.name) if entry.name in last else -1)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                (path / entry.name).unlink()
        path.rmdir()
    finally:
        lock.release()
