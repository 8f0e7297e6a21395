"""A whole run, from configuration to `run_finished`. Imports torch only once it has said that the run has started."""

from __future__ import annotations

import contextlib
import gc
import os
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fxtui import __version__
from fxtui.config import ConfigError, RunConfig, to_dict
from fxtui.protocol.events import Output, RunFinished, RunStarted
from fxtui.run.session.link import EngineLink, refuse_rest

if TYPE_CHECKING:
    from fxtui.engine.data.sources.source import ImageSource


def run_job(config: RunConfig, link: EngineLink, source: ImageSource | None = None, *, resume: bool = False) -> None:
    """Carry out a run and emit its events. Never raises: however it ends, `run_finished` says so.

    ``source`` is the opened image source, where that was possible without torch. ``resume``: go on from the run's last
    checkpoint instead of starting anew.
    """
    try:
        if not resume:
            link.emit(_started(config, link))
        with _collector_paused():
            from fxtui.engine.work import work
        finished = work(config, link, source, resume)
    except ConfigError as error:
        finished = RunFinished(status="failed", best=None, final=None, timings={}, reason=str(error), exit_status=2)
    # The thread's last resort: whatever went wrong, the user is told in one line and the details are in the log.
    except BaseException as error:  # noqa: BLE001
        finished = _failed(error, link)
    try:
        refuse_rest(link, "the run has ended")
        link.emit(finished)
    # Memory that is at its end, above all: that the run is over must be seen, whatever else can be said.
    except BaseException:  # noqa: BLE001
        link.abandon(finished.reason or finished.status)


def _started(config: RunConfig, link: EngineLink) -> RunStarted:
    return RunStarted(
        name=link.run.name,
        version=__version__,
        epochs=config.train.epochs,
        config=to_dict(config),
        pid=os.getpid(),
        host=os.uname().nodename,
    )


def _failed(error: BaseException, link: EngineLink) -> RunFinished:
    """What to say of a run that failed, where possible with what led there in the log."""
    name = type(error).__name__
    reason = f"{name}: something could not even be said"
    try:
        detail = (str(error).strip() or name).splitlines()[0]
        reason = f"{name}: {detail}"
        for line in traceback.format_exc().splitlines():
            link.emit(Output(text=line))
        reason += " (details in the log)"
    # It may be the very failure that is to be told of.
    except BaseException:  # noqa: BLE001, S110
        pass
    return RunFinished(status="failed", best=None, final=None, timings={}, reason=reason, exit_status=1)


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Collect no garbage during the first import of torch, and leave out of collections what it made: it stays.

    The import makes half a million objects and hardly any garbage; it takes a third less time without collections, and
    a full one that walked them all would hold up training and keys for a third of a second.
    Source: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    # Once in a process: a later run would keep for good what another has left behind.
    if gc.get_freeze_count() or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
