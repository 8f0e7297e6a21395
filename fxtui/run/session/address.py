"""Where a run's control socket lies, who may use it, and what ``RUN/control`` says of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import stat
import struct
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from fxtui.run.store import RunDirectory

_WAITING = 64


@dataclass(frozen=True, slots=True)
class Address:
    """What ``RUN/control`` says while the run's engine lives. ``started`` and ``beat`` are seconds since the epoch.

    ``inode`` is that of the run's directory: in a copy of it, this is somebody else's address.
    """

    path: str
    host: str
    pid: int
    started: float
    beat: float
    inode: int
    version: str


class NoSocketError(OSError):
    """No control socket can be made here, and why."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that listens, and where."""

    socket: socket.socket
    path: Path
    inode: int

    @property
    def is_there(self) -> bool:
        """Whether its path still leads to it."""
        try:
            return self.path.stat().st_ino == self.inode
        except OSError:
            return False

    def close(self) -> None:
        """Close it and take its path away, unless that is another's by now."""
        with contextlib.suppress(OSError):
            if self.is_there:
                self.path.unlink()
        self.socket.close()


def listen(run: RunDirectory) -> Listening:
    """Make the run's control socket. One that is there is stale: who asks has the right to write to the run.

    Raises:
        NoSocketError: there is no place for one.
    """
    name = f"{hashlib.blake2b(os.fsencode(run.path.resolve()), digest_size=8).hexdigest()}.sock"
    faults = []
    for directory in _directories():
        try:
            _make_private(directory)
            return _listen_at(directory / name)
        except OSError as error:
            faults.append(f"{directory}: {error.strerror or error}")
    raise NoSocketError("; ".join(faults) or "no directory for it")


def is_users(connection: socket.socket) -> bool:
    """Whether the process at the other end is the same user's."""
    try:
        if sys.platform == "linux":
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            uid = struct.unpack("3i", credentials)[1]
        else:
            # LOCAL_PEERCRED of the BSDs: a version and the uid.
            uid = struct.unpack("2I", connection.getsockopt(0, 1, 76)[:8])[1]
    except (OSError, struct.error):
        return False
    return bool(uid == os.geteuid())


def write_address(run: RunDirectory, address: Address) -> None:
    """Write ``RUN/control``, whole or not at all. It is written anew every few seconds, so nobody waits for the disk.

    Raises:
        OSError: it cannot be written.
    """
    temporary = run.path / ".control.tmp"
    # Not msgspec: a path need not be UTF-8, and here it comes back as it was.
    data = json.dumps(asdict(address)).encode()
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, data)
    finally:
        os.close(file)
    temporary.replace(control_file(run))


def read_address(run: RunDirectory) -> Address | None:
    """What ``RUN/control`` says; None if there is none, it is damaged, or it is that of the run this is a copy of."""
    try:
        fields = json.loads(control_file(run).read_bytes())
        address = Address(**{name: kind(fields[name]) for name, kind in _KINDS.items()})
        return address if address.inode == inode_of(run) else None
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def remove_address(run: RunDirectory) -> None:
    """Take ``RUN/control`` away."""
    with contextlib.suppress(OSError):
        control_file(run).unlink()


def control_file(run: RunDirectory) -> Path:
    """Where the address is written."""
    return run.path / "control"


def inode_of(run: RunDirectory) -> int:
    """What tells a run's directory from a copy of it.

    Raises:
        OSError: it is not there.
    """
    return run.path.stat().st_ino


_KINDS = {"path": str, "host": str, "pid": int, "started": float, "beat": float, "inode": int, "version": str}


def _directories() -> list[Path]:
    found = []
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    # It goes with the user's last login; it is not ours to make.
    if runtime and Path(runtime).is_absolute() and Path(runtime).is_dir():
        found.append(Path(runtime, "fxtui"))
    with contextlib.suppress(OSError):
        found.append(Path(tempfile.gettempdir(), f"fxtui-{os.geteuid()}"))
    return found


def _make_private(directory: Path) -> None:
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{directory.name} is not a directory of this user")
    if stat.S_IMODE(found.st_mode) != 0o700:
        directory.chmod(0o700)


def _listen_at(path: Path) -> Listening:
    # Made beside it and moved there, so that whoever comes meanwhile finds the old one or the new one.
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.bind(str(fresh))
        fresh.chmod(0o600)
        made.listen(_WAITING)
        inode = fresh.stat().st_ino
        fresh.replace(path)
    except OSError:
        made.close()
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    return Listening(made, path, inode)
