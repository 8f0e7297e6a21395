"""The exit status of a run that was followed to its end, and what is left of one that never began."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from fxtui.protocol.events import RunFinished
from fxtui.run.session.local import LocalSession
from fxtui.run.store import RunDirectory

EXIT_INTERRUPTED = 130


def conclude(session: LocalSession, finished: RunFinished | None, say: Callable[[str], None]) -> int:
    """The exit status of an ended run, said where it is not plain from its lines."""
    # Where it could not say itself how it ended, its last event was made up for it.
    if finished is None or session.link.state.finished is None:
        say(f"the engine ended without a result; its journal is {session.run.journal}")
        return 1
    if finished.exit_status == 2:
        say(finished.reason)
        if not session.continued:
            discard(session.run)
    return finished.exit_status


def discard(run: RunDirectory) -> None:
    """Remove a run that never began."""
    shutil.rmtree(run.path, ignore_errors=True)
