"""A user's own command, run when a run has something to say: it is given the event, a time limit, and no power."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping

TIME_LIMIT = 10.0
_MOST_OUTPUT = 16 << 10
_MOST_LINES = 20


def run_command(
    command: str, given: bytes, variables: Mapping[str, str], log: Callable[[str], None], limit: float = TIME_LIMIT
) -> None:
    """Run a shell command with ``given`` on its standard input, and wait for it, ``limit`` seconds at most.

    It is a session of its own, so that no signal for the run or its terminal is for it, nor the other way round; what
    it prints, and how it failed, goes to ``log`` in lines. Never raises: whatever befalls it is said there.
    """
    try:
        # The user's own configuration asks for a shell.
        process = subprocess.Popen(
            command,
            shell=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **variables},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        log(f"session.notify: cannot be run: {error}")
        return
    try:
        output, in_time = _follow(process, given, time.monotonic() + limit)
    except OSError as error:
        output, in_time = b"", False
        log(f"session.notify: {error}")
    finally:
        _end(process)
    lines = output.decode(errors="replace").splitlines()
    for line in lines[:_MOST_LINES]:
        log(f"session.notify: {line}")
    if len(lines) > _MOST_LINES:
        log(f"session.notify: {len(lines) - _MOST_LINES} more lines")
    if not in_time:
        log(f"session.notify: ended after {limit:g} s, its time limit")
    elif process.returncode:
        log(f"session.notify: exit status {process.returncode}")


def _follow(process: subprocess.Popen[bytes], given: bytes, deadline: float) -> tuple[bytes, bool]:
    """What it printed, up to a limit, and whether it ended by itself. What it leaves behind is not waited for."""
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None
    output = b""
    os.set_blocking(stdin.fileno(), False)
    with selectors.DefaultSelector() as selector, stdin, stdout:
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(stdin, selectors.EVENT_WRITE)
        while time.monotonic() < deadline:
            for key, _ in selector.select(min(0.05, max(0.0, deadline - time.monotonic()))):
                if key.fileobj is stdin:
                    given = _write(stdin.fileno(), given)
                    if not given:
                        selector.unregister(stdin)
                        # What was not read is no error of ours.
                        with contextlib.suppress(BrokenPipeError):
                            stdin.close()
                    continue
                if chunk := os.read(stdout.fileno(), 65536):
                    output = (output + chunk)[:_MOST_OUTPUT]
                    continue
                selector.unregister(stdout)
            if process.poll() is not None:
                return output + _rest(stdout.fileno(), _MOST_OUTPUT - len(output)), True
    return output, False


def _write(descriptor: int, given: bytes) -> bytes:
    """What is left to write; nothing once nobody reads."""
    try:
        return given[os.write(descriptor, given) :]
    except BlockingIOError:
        return given
    except BrokenPipeError:
        return b""


def _rest(descriptor: int, room: int) -> bytes:
    """What lies in the pipe of a process that has ended."""
    os.set_blocking(descriptor, False)
    found = b""
    with contextlib.suppress(BlockingIOError):
        while len(found) < room and (chunk := os.read(descriptor, room - len(found))):
            found += chunk
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        # A process that hangs in the system may not even die; the run does not wait for it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
