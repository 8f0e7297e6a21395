"""While the dashboard owns the terminal, whatever is printed goes into the log instead of over the screen."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def captured_output(sink: Callable[[str], None]) -> Iterator[None]:
    """Hand every line that is printed in this process, in C or by a child too, to ``sink``, from a thread of its own.

    Textual draws on ``sys.__stderr__``; it gets a duplicate of the terminal, which standard output is where standard
    error goes into a file. Everything is put back on every way out.
    """
    terminal = os.dup(1 if os.isatty(1) else 2)
    saved = [os.dup(1), os.dup(2)]
    streams = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
    reading, writing = os.pipe()
    screen = io.TextIOWrapper(os.fdopen(terminal, "wb", buffering=0), encoding="utf-8", write_through=True)
    reader = threading.Thread(target=_read, args=(reading, sink), name="fxtui-capture", daemon=True)
    reader.start()
    for stream in streams[:2]:
        stream.flush()
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.close(writing)
    # By line: two threads that print at once must not share one.
    printed = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8", errors="replace")
    sys.stdout = sys.stderr = printed
    sys.__stdout__ = sys.__stderr__ = screen  # type: ignore[misc]  # Textual reads these when it starts its driver
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams[0], streams[1]
        sys.__stdout__, sys.__stderr__ = streams[2], streams[3]  # type: ignore[misc]
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        for descriptor in saved:
            os.close(descriptor)
        printed.close()
        # The last writing end is gone, so the reader comes to the end of the pipe.
        reader.join(timeout=1)
        with contextlib.suppress(OSError):
            screen.close()


def _read(reading: int, sink: Callable[[str], None]) -> None:
    with os.fdopen(reading, "r", encoding="utf-8", errors="replace", newline="\n") as lines:
        for line in lines:
            # A progress bar rewrites its line with carriage returns; its last state is what counts.
            text = line.rstrip("\r\n").rpartition("\r")[2].rstrip()
            if text:
                sink(text)
