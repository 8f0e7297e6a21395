"""Pixels in batches, decoded ahead by threads.

Pillow gives up the interpreter's lock while it decodes and resizes, so threads keep every core busy; processes would
have to be forked, which a terminal application with threads must not do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fxtui.engine.data.preprocess import Preprocessing
from fxtui.engine.data.sources.source import BrokenImageError, ImageSource
from fxtui.machine.cpu import cpu_count

_BATCHES_AHEAD = 3
# An image and its number in the source -> its pixels [size, size, 3].
View = Callable[[Image.Image, int], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class PixelBatch:
    """``pixels`` [n, size, size, 3] of the images ``indices`` [n]; zeros where ``broken`` says (position, reason)."""

    indices: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    broken: tuple[tuple[int, str], ...]


class PixelLoader:
    """Reads batches of a source through its preprocessing. Holds a few batches at a time, however many there are."""

    def __init__(self, source: ImageSource, preprocessing: Preprocessing, threads: int = 0) -> None:
        self._source = source
        self._preprocessing = preprocessing
        self._threads = threads or cpu_count()

    def batches(
        self, groups: Sequence[NDArray[np.int64]], view: View | None = None
    ) -> Generator[PixelBatch, None, None]:
        """A batch for each array of indices, in order. Closing the generator ends its threads.

        ``view`` makes the pixels instead of the preprocessing; threads call it.
        """
        view = view or self._plain
        size = self._preprocessing.crop
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="fxtui-decode")
        waiting: deque[tuple[NDArray[np.int64], NDArray[np.uint8], list[Future[str]]]] = deque()
        try:
            for group in groups:
                pixels = np.zeros((len(group), size, size, 3), np.uint8)
                jobs = [pool.submit(self._fill, int(index), pixels[at], view) for at, index in enumerate(group)]
                waiting.append((group, pixels, jobs))
                if len(waiting) > _BATCHES_AHEAD:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _plain(self, image: Image.Image, _index: int) -> NDArray[np.uint8]:
        return self._preprocessing.fit(image, self._source.presized)

    def _fill(self, index: int, place: NDArray[np.uint8], view: View) -> str:
        """Decode one image into its place; the reason if it is broken, else nothing."""
        try:
            place[:] = view(self._source.read(index, self._preprocessing.resize), index)
        except BrokenImageError as error:
            return str(error)
        except OSError as error:
            return error.strerror or "cannot be read"
        return ""


def _finished(group: NDArray[np.int64], pixels: NDArray[np.uint8], jobs: list[Future[str]]) -> PixelBatch:
    reasons = [job.result() for job in jobs]
    return PixelBatch(group, pixels, tuple((at, why) for at, why in enumerate(reasons) if why))
