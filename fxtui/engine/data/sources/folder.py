"""A folder of images: a sub-folder for each class, or train/ and val/ with those inside."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fxtui.config import ConfigError
from fxtui.engine.data.decode import looks_like_image
from fxtui.engine.data.sources.files import FileSource
from fxtui.protocol.events import SkippedFile

_TRAIN, _VAL, _TEST = 0, 1, 2
_SPLITS = {"train": _TRAIN, "training": _TRAIN, "val": _VAL, "valid": _VAL, "validation": _VAL, "test": _TEST}
_SYSTEM = {"thumbs.db", "desktop.ini", "__macosx"}


@dataclass(slots=True)
class _Found:
    path: str
    label: str
    split: int
    stamp: tuple[int, int]


@dataclass(slots=True)
class _Listing:
    images: list[_Found] = field(default_factory=list)
    not_images: int = 0
    others_in: dict[str, int] = field(default_factory=dict)
    skipped: list[SkippedFile] = field(default_factory=list)


def open_folder(root: Path) -> FileSource:
    """List a folder of images, one sub-folder a class, images at any depth below it; links are followed.

    Hidden files and those that systems leave behind are passed over; what is no image is counted, an empty file or a
    dangling link is named in ``skipped``.

    Raises:
        ConfigError: there are not two classes, or one has no image.
    """
    listing = _Listing()
    splits = {entry: _SPLITS[entry.lower()] for entry in _folders(root) if entry.lower() in _SPLITS}
    split_up = _TRAIN in splits.values()
    if split_up:
        classes: list[str] = []
        for folder, split in splits.items():
            here = _folders(root / folder)
            classes += [name for name in here if split == _TRAIN and name not in classes]
            for name in here:
                _walk(root, f"{folder}/{name}", name, split, listing)
        _refuse_strangers(root, splits, classes)
    else:
        classes = _folders(root)
        for name in classes:
            _walk(root, name, name, _TRAIN, listing)
    _check_classes(root, classes, listing)
    listing.images.sort(key=lambda found: found.path)
    names = sorted({_plain(name) for name in classes}, key=lambda name: (name.casefold(), name))
    number = {name: i for i, name in enumerate(names)}
    return FileSource(
        name=str(root),
        root=root,
        classes=tuple(names),
        labels=np.array([number[_plain(found.label)] for found in listing.images], dtype=np.int64),
        paths=[found.path for found in listing.images],
        stamps=[found.stamp for found in listing.images],
        own_split=np.array([found.split for found in listing.images], dtype=np.int8) if split_up else None,
        not_images=listing.not_images,
        skipped=tuple(listing.skipped),
    )


def _folders(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if not _ignored(entry.name) and entry.is_dir())


def _walk(root: Path, start: str, label: str, split: int, listing: _Listing) -> None:
    """List the images below a class folder. A link back to a folder above is not followed a second time."""
    waiting = [(start, frozenset({os.path.realpath(root / start)}))]
    while waiting:
        folder, above = waiting.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                if _ignored(entry.name):
                    continue
                path = f"{folder}/{entry.name}"
                if entry.is_dir():
                    real = os.path.realpath(entry.path)
                    if real not in above:
                        waiting.append((path, above | {real}))
                elif not looks_like_image(entry.name):
                    listing.not_images += 1
                    listing.others_in[label] = listing.others_in.get(label, 0) + 1
                elif (reason := _unusable(entry)) is not None:
                    listing.skipped.append(SkippedFile(path, reason))
                else:
                    status = entry.stat()
                    listing.images.append(_Found(path, label, split, (status.st_size, status.st_mtime_ns)))


def _unusable(entry: os.DirEntry[str]) -> str | None:
    try:
        return "empty file" if entry.stat().st_size == 0 else None
    except FileNotFoundError:
        return "link to nothing"
    except OSError as error:
        return error.strerror or "cannot be read"


def _check_classes(root: Path, classes: list[str], listing: _Listing) -> None:
    where = f"data.source = '{root}'"
    if not classes:
        with os.scandir(root) as entries:
            loose = any(looks_like_image(entry.name) for entry in entries)
        found = "has images but no sub-folders" if loose else "has no sub-folders"
        raise ConfigError(f"{where}: {found}; expected a sub-folder for each class with its images inside")
    usable = {_plain(found.label) for found in listing.images if found.split == _TRAIN}
    for name in classes:
        if _plain(name) not in usable:
            broken = [file for file in listing.skipped if f"/{name}/" in f"/{file.path}"]
            others = listing.others_in.get(name, 0)
            detail = f"{len(broken)} broken, " if broken else ""
            raise ConfigError(f"{where}: class '{name}' has no image to train on ({detail}{others} other files there)")
    if len(classes) < 2:
        raise ConfigError(f"{where}: only one class, '{classes[0]}'; expected a sub-folder for each of two or more")


def _refuse_strangers(root: Path, splits: dict[str, int], classes: list[str]) -> None:
    known = {_plain(name) for name in classes}
    for folder, split in splits.items():
        for name in _folders(root / folder):
            if split != _TRAIN and _plain(name) not in known:
                raise ConfigError(
                    f"data.source = '{root}': class '{name}' is in {folder}/ but not in the training folder"
                )


def _ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)
