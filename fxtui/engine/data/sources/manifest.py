"""A CSV manifest: ``path,label`` or ``path,label,split``, paths relative to the file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from fxtui.config import ConfigError
from fxtui.engine.data.decode import looks_like_image
from fxtui.engine.data.sources.files import FileSource
from fxtui.protocol.events import SkippedFile

_SPLITS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "test": 2}


def open_manifest(path: Path) -> FileSource:
    """List the images of a manifest. Files that are not there are skipped and named.

    Raises:
        ConfigError: the file cannot be read, a row is wrong, most files are missing, or there are not two classes.
    """
    where = f"data.source = '{path}'"
    rows = _read_rows(path, where)
    names, labels, splits, stamps, skipped = [], [], [], [], []
    not_images = 0
    for line, row in rows:
        name, label = (row.get("path") or "").strip(), (row.get("label") or "").strip()
        split = (row.get("split") or "train").strip().lower()
        if not name or not label:
            raise ConfigError(f"{where}: line {line}: expected a path and a label, found {list(row.values())}")
        if split not in _SPLITS:
            raise ConfigError(f"{where}: line {line}: split '{split}': expected train, val or test")
        if not looks_like_image(name):
            not_images += 1
            continue
        try:
            status = (path.parent / name).stat()
        except OSError:
            skipped.append(SkippedFile(name, "no such file"))
            continue
        if status.st_size == 0:
            skipped.append(SkippedFile(name, "empty file"))
            continue
        names.append(name)
        labels.append(label)
        splits.append(_SPLITS[split])
        stamps.append((status.st_size, status.st_mtime_ns))
    if len(skipped) > len(rows) / 2:
        raise ConfigError(
            f"{where}: {len(skipped)} of {len(rows)} files cannot be used, e.g. {skipped[0].path}: "
            f"{skipped[0].reason}; paths are relative to {path.parent}"
        )
    classes = sorted(set(labels))
    if len(classes) < 2:
        found = f"only one class, '{classes[0]}'" if classes else "no images"
        raise ConfigError(f"{where}: {found}; expected two or more classes")
    number = {label: i for i, label in enumerate(classes)}
    return FileSource(
        name=str(path),
        root=path.parent,
        classes=tuple(classes),
        labels=np.array([number[label] for label in labels], dtype=np.int64),
        paths=names,
        stamps=stamps,
        own_split=np.array(splits, dtype=np.int8) if any(splits) else None,
        not_images=not_images,
        skipped=tuple(skipped),
    )


def _read_rows(path: Path, where: str) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = [(name or "").strip().lower() for name in reader.fieldnames or []]
            if header[:2] != ["path", "label"] or header[2:] not in ([], ["split"]):
                raise ConfigError(
                    f"{where}: first line {','.join(header) or 'is empty'}: expected path,label or path,label,split"
                )
            reader.fieldnames = header
            rows = []
            for row in reader:
                if None in row:
                    raise ConfigError(f"{where}: line {reader.line_num}: more values than columns")
                rows.append((reader.line_num, row))
            return rows
    except FileNotFoundError:
        raise ConfigError(f"{where}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{where}: cannot be read: {error}") from None
