"""Tensors that lie in files, read and written a few rows at a time.

Not mapped: a mapping of a file that cannot be read, or of a disk that is full, ends the process by a signal.
"""

from __future__ import annotations

import errno
import itertools
import math
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fxtui.run.storage import open_private, sync_file

_SLICE = 16 << 20
# What a file system that cannot keep room free answers.
_NO_RESERVING = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENODEV, errno.ESPIPE))


class StoredRows:
    """A tensor [rows, *shape of one] in a file of raw numbers, as far as caches use tensors.

    Raises:
        OSError: the file cannot be opened.
    """

    device = torch.device("cpu")

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: torch.dtype, *, new: bool = False) -> None:
        self.shape = torch.Size(shape)
        self.dtype = dtype
        self._row = math.prod(shape[1:]) * dtype.itemsize
        if new:
            self._file = open_private(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        else:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Bytes of the whole."""
        return len(self) * self._row

    def check(self) -> None:
        """See that the file has the size that it should.

        Raises:
            OSError: it has another.
        """
        if os.fstat(self._file).st_size != self.nbytes:
            raise OSError(errno.EIO, "the file has another size than its description")

    def reserve(self) -> None:
        """Have the file system keep the room that all rows take, where it can.

        Raises:
            OSError: there is too little.
        """
        try:
            if self.nbytes and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file, 0, self.nbytes)
        except OSError as error:
            if error.errno not in _NO_RESERVING:
                raise

    def write(self, first: int, rows: Tensor) -> None:
        """Put rows [n, ...] from ``first`` on.

        Raises:
            OSError: they cannot be written.
        """
        at = first * self._row
        for rest in _raw(rows.to(self.dtype)):
            while len(rest):
                written = os.pwrite(self._file, rest, at)
                if written <= 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                rest, at = rest[written:], at + written

    def sync(self) -> None:
        """Wait until all is on the disk.

        Raises:
            OSError: it may not be.
        """
        sync_file(self._file)

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """These rows, in this order; of the first dimension only.

        Raises:
            OSError: they cannot be read, or the file is shorter than it was.
        """
        if dim:
            raise ValueError("only rows can be taken")
        places = index.numpy()
        found = np.empty((len(places), self._row), np.uint8)
        # Rows that lie one after the other are read at once.
        bounds = [0, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
        for start, end in itertools.pairwise(bounds if len(places) else ()):
            self._read(int(places[start]) * self._row, found[start:end].reshape(-1))
        return torch.from_numpy(found).reshape(-1).view(self.dtype).reshape(len(places), *self.shape[1:])

    def blocks(self, size: int) -> Iterator[Tensor]:
        """The bytes of all, ``size`` at a time, in order.

        Raises:
            OSError: they cannot be read.
        """
        for at in range(0, self.nbytes, size):
            block = np.empty(min(size, self.nbytes - at), np.uint8)
            self._read(at, block)
            yield torch.from_numpy(block)

    def read(self) -> Tensor:
        """All of it, in memory.

        Raises:
            OSError: it cannot be read.
        """
        whole = torch.empty(self.shape, dtype=self.dtype)
        if self.nbytes:
            self._read(0, whole.reshape(-1).view(torch.uint8).numpy())
        return whole

    def _read(self, at: int, into: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
        done = 0
        while done < len(into):
            data = os.pread(self._file, min(_SLICE, len(into) - done), at + done)
            if not data:
                raise OSError(errno.EIO, "the file is shorter than its description")
            into[done : done + len(data)] = np.frombuffer(data, np.uint8)
            done += len(data)


StoredTensor = Tensor | StoredRows


def blocks_of(data: StoredTensor, size: int) -> Iterator[Tensor]:
    """The bytes of a tensor in order: of one in a file ``size`` at a time, else all at once."""
    if isinstance(data, StoredRows):
        yield from data.blocks(size)
    else:
        yield data.reshape(-1).view(torch.uint8)


def put(data: StoredTensor, first: int, rows: Tensor) -> None:
    """Put rows [n, ...] from ``first`` on, wherever the tensor lies.

    Raises:
        OSError: they cannot be written.
    """
    if isinstance(data, StoredRows):
        data.write(first, rows)
    else:
        data[first : first + len(rows)] = rows.to(data.device)


def _raw(rows: Tensor) -> Iterator[memoryview]:
    flat = rows.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    for at in range(0, len(flat), _SLICE):
        yield flat[at : at + _SLICE].numpy().data
