"""A process that follows a made-up engine: ``python -m tests.cli.following.made_up HOW WHAT RUNS``, without torch."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fxtui.config import parse_config
from fxtui.protocol import events as ev
from fxtui.protocol.commands import Stop
from fxtui.run.session.link import EngineLink
from fxtui.run.session.local import LocalSession
from fxtui.run.store import RunStore
from tests.run.samples import epoch, figures, opening, trained, whole_run


def finishes(link: EngineLink) -> None:
    """A whole run, in a moment."""
    for event in whole_run():
        link.emit(event)


def prints(link: EngineLink) -> None:
    """A run beside which the user's module prints, in Python, in C and from a child."""
    print("from python", flush=True)  # noqa: T201
    os.write(1, b"from c\n")
    os.system("echo from a child")
    finishes(link)


def prints_beside(link: EngineLink) -> None:
    """The same where what is printed goes to the journal; it ends only when that has come."""
    link.emit(opening()[0])
    print("from python", flush=True)  # noqa: T201
    os.write(1, b"from c\n")
    os.system("echo from a child")
    # It comes through another thread, and after its last event a journal takes nothing more.
    while "from a child" not in link.run.journal.read_text(encoding="utf-8"):
        time.sleep(0.01)
    for event in whole_run()[1:]:
        link.emit(event)


def talks(link: EngineLink) -> None:
    """Far more output than a pipe holds."""
    for event in opening():
        link.emit(event)
    for number in range(1, 3001):
        link.emit(epoch(number, 0.9))
    _end(link, "finished")


def waits(link: EngineLink) -> None:
    """Trains until it is told to stop, and takes its time to save."""
    for event in [*opening(), *trained(1, 0.9, best=True)]:
        link.emit(event)
    command = link.next_command(timeout=60)
    while command is not None and not isinstance(command, Stop):
        # The dashboard asks about images now and then.
        command = link.next_command(timeout=60)
    assert command is not None
    assert command.when == "now"
    if "SLOW" in os.environ:
        # Until the test says that it has sent the second signal.
        sys.stdin.readline()
    _end(link, "stopped", "at step 25, saved", 130 if command.interrupted else 0)


def refuses(link: EngineLink) -> None:
    """A configuration that turns out wrong late."""
    link.emit(opening()[0])
    _end(link, "failed", "device = 'cuda:7': not on this machine; here: cpu", 2)


def fails(link: EngineLink) -> None:
    """A loss that is no number."""
    for event in [*opening(), *trained(1, 0.9, best=True)]:
        link.emit(event)
    _end(link, "failed", "loss is NaN at step 32: lower train.lr", 1)


def dies(link: EngineLink) -> None:
    """A defect of ours."""
    link.emit(opening()[0])
    raise RuntimeError("a defect")


ENGINES: dict[str, Callable[[EngineLink], None]] = {
    engine.__name__: engine for engine in (finishes, prints, prints_beside, talks, waits, refuses, fails, dies)
}


def _end(link: EngineLink, status: ev.RunStatus, reason: str = "", exit_status: int = 0) -> None:
    last = figures(epoch(1, 0.9))
    best = None if exit_status == 2 else last
    finished = ev.RunFinished(status=status, best=best, final=best, timings={}, reason=reason, exit_status=exit_status)
    link.emit(finished)


def _crash_after_a_while() -> None:
    """A dashboard with a defect: it fails once there has been an epoch."""
    from fxtui.tui.dashboard.app import DashboardApp

    frame = DashboardApp.frame

    def defective(self: DashboardApp) -> float:
        if self.state.epochs:
            raise RuntimeError("a defect [/] in the dashboard")
        return frame(self)

    DashboardApp.frame = defective  # type: ignore[method-assign]


def main(how: str, what: str, runs: str, *options: str) -> int:
    """Follow the engine ``what`` as ``how`` says; the exit status."""
    settings = [option for option in options if "=" in option]
    config = parse_config({"name": "made-up", "data": {"source": "digits"}}, settings)

    def session() -> LocalSession:
        return LocalSession(RunStore(Path(runs)).create(config), ENGINES[what])

    if how == "json":
        from fxtui.cli.following.json_lines import follow_as_json

        return follow_as_json(session)
    if how in ("dashboard", "waited-for"):
        from fxtui.cli.display_options import DisplayOptions
        from fxtui.cli.following.dashboard import follow_in_dashboard
        from fxtui.cli.following.waiter import fork_behind_waiter

        waiter = fork_behind_waiter() if how == "waited-for" else None
        display = DisplayOptions(ascii_only="--ascii" in options, no_color="--no-color" in options)
        if "--crash" in options:
            _crash_after_a_while()
        return follow_in_dashboard(session(), display, waiter)
    from fxtui.cli.following.headless import follow_in_lines

    return follow_in_lines(session())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
