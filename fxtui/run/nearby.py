"""What a user may want to go on with, found in and near a folder: runs, configurations, folders of images.

Quick on purpose: of an ended run only its summary and its configuration are read, of folders only some names.
"""

from __future__ import annotations

import itertools
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from fxtui.config import ConfigError, RunConfig, bundled_config, load_config
from fxtui.run.store import RunDirectory, RunStore
from fxtui.run.summary import RunSummary, read_summary

_MOST_RUNS = 100
_MOST_FOLDERS, _MOST_INSIDE, _MOST_NAMES = 200, 50, 200
_IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
_TRAINING = ("train", "training")


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run on disk, and whether one can go on with it.

    ``config`` is None where it cannot be read, and ``fault`` says why. ``summary`` says how far it is, also while it
    runs, and which process has it. ``epochs`` are those done so far, None where that cannot be read; ``started`` is in
    seconds since the epoch. ``resumable``: it has a checkpoint, nobody writes to it, and not all its epochs are done.
    """

    summary: RunSummary
    config: RunConfig | None
    epochs: int | None
    started: float
    resumable: bool
    fault: str = ""

    @property
    def attachable(self) -> bool:
        """Whether it runs or holds, so that one goes on with it by watching it."""
        return self.summary.is_open

    @property
    def path(self) -> Path:
        """The run's directory."""
        return self.summary.path

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.summary.name


@dataclass(frozen=True, slots=True)
class FoundConfig:
    """A configuration file; ``config`` is None where something in it is wrong, and ``fault`` says what."""

    path: Path
    config: RunConfig | None
    bundled: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """A folder that looks as if its sub-folders were classes. ``classes`` are the names seen, not all if ``more``."""

    path: Path
    classes: tuple[str, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Nearby:
    """All that was found: runs newest first, the rest by name."""

    runs: tuple[PastRun, ...] = ()
    configs: tuple[FoundConfig, ...] = ()
    folders: tuple[ImageFolder, ...] = ()


def look_around(folder: Path, runs: Path) -> Nearby:
    """Find runs below ``runs``, configurations in ``folder``, its ``configs`` and those that come with fxtui, and
    folders of images in ``folder``. What cannot be read is left out.
    """
    newest = reversed(RunStore(runs).list()[-_MOST_RUNS:])
    return Nearby(tuple(map(past_run, newest)), tuple(_configs(folder)), tuple(_image_folders(folder)))


def past_run(run: RunDirectory) -> PastRun:
    """What there is to go on with of a run."""
    summary = read_summary(run)
    config, fault, written = None, "", 0.0
    try:
        config = run.load_config()
        written = run.config.stat().st_mtime
    except (ConfigError, OSError) as error:
        fault = str(error)
    done = summary.status == "finished" and config is not None and summary.epochs_done >= config.train.epochs
    return PastRun(
        summary=summary,
        config=config,
        epochs=None if summary.status == "damaged" else summary.epochs_done,
        started=summary.started or written,
        # Also where it has ended: one that goes on holds its lock for a while before it says so.
        resumable=config is not None and run.has_checkpoint and not done and not run.is_locked(),
        fault=fault,
    )


def _configs(folder: Path) -> list[FoundConfig]:
    found: dict[Path, FoundConfig] = {}
    for path in itertools.chain(_toml_files(folder), _toml_files(folder / "configs")):
        shown = path.relative_to(folder) if path.is_relative_to(folder) else path
        if (config := _config_at(path, shown, bundled=False)) is not None:
            found.setdefault(path.resolve(), config)
    for path in _bundled():
        if path.resolve() not in found and (config := _config_at(path, path, bundled=True)) is not None:
            found[path.resolve()] = config
    return list(found.values())


def _bundled() -> list[Path]:
    try:
        return _toml_files(bundled_config("demo").parent)
    except ConfigError:
        return []


def _toml_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.toml") if path.is_file())[:_MOST_FOLDERS]
    except OSError:
        return []


def _config_at(path: Path, shown: Path, *, bundled: bool) -> FoundConfig | None:
    """The configuration in a file; None where the file is of another kind."""
    try:
        return FoundConfig(shown, load_config(path), bundled)
    except ConfigError as error:
        if not _meant_for_us(path):
            return None
        fault = str(error).removeprefix(f"{path}: ")
        return FoundConfig(shown, None, bundled, fault)


def _meant_for_us(path: Path) -> bool:
    """Whether a file with a mistake in it is one of ours: it says where images come from."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8")).get("data")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return False
    return isinstance(data, dict) and "source" in data


def _image_folders(folder: Path) -> list[ImageFolder]:
    found = []
    for path in [folder, *(folder / name for name in _folders_in(folder, _MOST_FOLDERS))]:
        classes, others, more = _classes(path)
        # Where one works, a folder or two of pictures among others are no classes.
        if len(classes) > 1 and not (path == folder and others):
            found.append(ImageFolder(path.relative_to(folder), classes, more))
    return found


def _classes(path: Path) -> tuple[tuple[str, ...], int, bool]:
    """The sub-folders that hold images, a count of those that do not, and whether there may be more."""
    inside = _folders_in(path, _MOST_INSIDE)
    split = next((name for name in inside if name.lower() in _TRAINING), None)
    if split is not None:
        path = path / split
        inside = _folders_in(path, _MOST_INSIDE)
    classes = tuple(name for name in inside if _holds_images(path / name))
    return classes, len(inside) - len(classes), len(inside) == _MOST_INSIDE


def _folders_in(path: Path, most: int) -> list[str]:
    return sorted(entry.name for entry in _entries(path, most * 10) if _is_folder(entry))[:most]


def _holds_images(path: Path) -> bool:
    return any(entry.name.lower().endswith(_IMAGES) for entry in _entries(path, _MOST_NAMES))


def _entries(path: Path, most: int) -> list[os.DirEntry[str]]:
    """Some entries of a folder that are not hidden; none of one that cannot be read."""
    try:
        with os.scandir(path) as entries:
            return [entry for entry in itertools.islice(entries, most) if not entry.name.startswith(".")]
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
