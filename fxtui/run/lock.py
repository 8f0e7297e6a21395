"""A file that one process holds at a time, given back when that ends, however it ends.

Where the file system knows no locks, a second file beside it stands in, which says who holds it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from fxtui.machine.processes import host_name, is_alive, start_mark
from fxtui.run.storage import open_private, write_all

# Linux's own "not supported", which NFS lets through, has no name in Python.
_ENOTSUPP = 524
_NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, _ENOTSUPP))
_NO_LINKS = frozenset((errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, _ENOTSUPP))
_ATTEMPTS, _PAUSE = 5, 0.02
# An empty stand-in is one whose maker has not yet written, or was killed before it could.
_SECONDS_TO_WRITE = 10.0


class HeldElsewhereError(RuntimeError):
    """Another process holds the lock; the text says which, where that is known."""


class _Holder(Struct, frozen=True):
    host: str
    pid: int
    started: str


class FileLock:
    """Holds a lock file from when it is made until :meth:`release`.

    Raises:
        HeldElsewhereError: another process holds it.
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._stand_in: Path | None = None
        self._file = open_private(path, os.O_RDWR | os.O_CREAT)
        try:
            if not _locked(self._file):
                self._stand_in = _stand_in(path)
                _take(self._stand_in)
            elif holder := _holder(_stand_in(path)):
                raise HeldElsewhereError(_described(holder, _stand_in(path)))
        except BaseException:
            self._stand_in = None
            self.release()
            raise

    def release(self) -> None:
        """Give it back. Doing so twice is harmless."""
        if self._stand_in is not None:
            with contextlib.suppress(OSError):
                if _read(self._stand_in) == _ourselves():
                    self._stand_in.unlink()
            self._stand_in = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def is_held(path: Path) -> bool:
    """Whether some process holds a lock file now. Leaves no trace."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # Shared, so that two who ask do not take each other for a holder.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    finally:
        os.close(file)
    return _holder(_stand_in(path)) is not None


def _locked(file: int) -> bool:
    """Lock a file; False where the file system knows no locks."""
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            # Who asks whether there is a holder holds the file for a moment, too.
            if attempt < _ATTEMPTS - 1:
                time.sleep(_PAUSE)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return False
    raise HeldElsewhereError("another process is writing to this run")


def _stand_in(path: Path) -> Path:
    return path.with_name(f"{path.name}.held")


def _take(path: Path) -> None:
    """Have a stand-in say that we hold the lock; one whose holder is gone is put aside."""
    own = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        file = open_private(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            write_all(file, msgspec.json.encode(_ourselves()))
        finally:
            os.close(file)
        for _ in range(_ATTEMPTS):
            try:
                _place(own, path)
            except FileExistsError:
                if holder := _holder(path):
                    raise HeldElsewhereError(_described(holder, path)) from None
                _put_aside(path)
            if _read(path) == _ourselves():
                return
    finally:
        own.unlink(missing_ok=True)
    raise HeldElsewhereError("another process is writing to this run")


def _place(own: Path, path: Path) -> None:
    """Give a file that is whole its name, unless the name is taken.

    Raises:
        FileExistsError: it is.
    """
    try:
        path.hardlink_to(own)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(file, own.read_bytes())
        finally:
            os.close(file)


def _put_aside(path: Path) -> None:
    """Remove a stand-in whose holder is gone, but not one that another has put there meanwhile."""
    aside = path.with_name(f"{path.name}.gone.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.rename(aside)
        if _holder(aside):
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(aside)
        aside.unlink()


def _holder(path: Path) -> _Holder | None:
    """Who holds the lock by a stand-in; None where there is none, or its holder is known to be gone."""
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return None
    found = _read(path)
    if found is None:
        return _Holder("", 0, "") if age < _SECONDS_TO_WRITE else None
    if found.host == host_name() and (not is_alive(found.pid) or start_mark(found.pid) != found.started):
        return None
    return found


def _read(path: Path) -> _Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Holder)
    except (OSError, ValueError, RecursionError, msgspec.DecodeError):
        return None


def _ourselves() -> _Holder:
    pid = os.getpid()
    return _Holder(host_name(), pid, start_mark(pid))


def _described(holder: _Holder, path: Path) -> str:
    text = "another process is writing to this run"
    if holder.pid and holder.host != host_name():
        text += f": {holder.pid} on {holder.host.partition('/')[0]}; if that is gone, remove {path}"
    return text
