"""How files are written: whole or not at all, and nobody else's to read.

A directory that was made here is its owner's alone, or its group's, too, where it is shared; what is written into it
has the same readers, whatever the umask.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

# What a file system without a way to wait for the disk answers, above all for directories.
_NO_SYNC = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EROFS))
_SLICE = 16 << 20
_OWNER, _GROUP, _OTHERS = 0o700, 0o070, 0o007


def make_private(path: Path, *, share: bool = False) -> None:
    """Make a directory that is its owner's alone; ``share``: its group may do what the umask allows.

    Raises:
        OSError: it is there already, or cannot be made.
    """
    mode = _OWNER | (_GROUP & ~_umask() if share else 0)
    path.mkdir(mode=_OWNER)
    _set_mode(path, mode)


def make_alike(path: Path) -> None:
    """Make a directory with the readers of the one that it lies in, as :func:`make_private` made that.

    Raises:
        OSError: it is there already, or cannot be made.
    """
    path.mkdir(mode=_OWNER)
    _set_mode(path, _OWNER | _group_bits(path.parent))


def open_private(path: Path, flags: int) -> int:
    """Open a file to write to; a new one has the readers of its directory. Returns the descriptor.

    Raises:
        OSError: it cannot be opened.
    """
    file = os.open(path, flags | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):
        if not os.fstat(file).st_size:
            os.fchmod(file, _file_mode(path.parent))
    return file


def write_all(file: int, data: bytes | memoryview) -> None:
    """Write all of it at the descriptor's place, however little the system takes at once.

    Raises:
        OSError: it cannot be written; a part of it may have been.
    """
    rest = memoryview(data)
    while len(rest):
        written = os.write(file, rest[:_SLICE])
        if written <= 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest = rest[written:]


def sync_file(file: int) -> None:
    """Wait until a file is on the disk, where the file system knows how to.

    Raises:
        OSError: it may not be.
    """
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def sync_folder(path: Path) -> None:
    """Wait until the names in a directory are on the disk, where that is possible at all."""
    with contextlib.suppress(OSError):
        folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def written_file(path: Path) -> Iterator[int]:
    """A descriptor of a new file, which is on the disk when the block ends.

    Raises:
        OSError: it cannot be written.
    """
    file = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        yield file
        sync_file(file)
    finally:
        os.close(file)


def temporary_name(path: Path) -> Path:
    """Under which a file is written before it takes its place."""
    return path.with_name(f".{path.name}.tmp")


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file or nothing: to a temporary name, to the disk, then renamed over the old one.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    temporary = temporary_name(path)
    try:
        with written_file(temporary) as file:
            write_all(file, data)
        os.replace(temporary, path)  # noqa: PTH105  # as every call of this file, where a test can have it fail
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _file_mode(folder: Path) -> int:
    return 0o600 | (_group_bits(folder) & 0o060)


def _group_bits(folder: Path) -> int:
    mode = stat.S_IMODE(folder.stat().st_mode)
    # One that everybody may enter was not made here.
    return mode & _GROUP if not mode & _OTHERS else 0


def _set_mode(path: Path, mode: int) -> None:
    # A file system may know no modes.
    with contextlib.suppress(OSError):
        path.chmod(mode)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
