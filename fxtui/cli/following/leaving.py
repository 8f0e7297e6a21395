"""Leaving the terminal while the run goes on: what is said, where it prints to, and what would end it all the same."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from fxtui.cli.following.waiter import Waiter
from fxtui.protocol.events import RunWarning
from fxtui.run.session.local import LocalSession
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory


def leave_terminal(session: LocalSession, waiter: Waiter, state: RunState) -> None:
    """Give the shell its prompt back, with a line that says where the run goes on; it prints into its directory."""
    session.link.emit(RunWarning(text="the dashboard is closed, the run goes on without a terminal"))
    waiter.leave(_where(session.run, state))
    redirect_to(session.run)


def redirect_to(run: RunDirectory) -> None:
    """Standard input from nothing, output and errors to the end of the run's ``output.log``; or nowhere."""
    nothing = os.open(os.devnull, os.O_RDWR)
    log = nothing
    with contextlib.suppress(OSError):
        log = os.open(run.path / "output.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for descriptor in {nothing, log} - {0, 1, 2}:
        os.close(descriptor)


def what_ends_it(root: Path = Path("/")) -> str:
    """Why a run that leaves this terminal may end all the same; empty where nothing that is known would end it.

    Read off the process's own cgroup, its ancestors and the login manager's settings below ``root``, because variables
    are inherited by much that they do not concern.
    """
    if os.getppid() == 1 or os.getpid() == 1:
        return "it is the first process of a container, which ends with it"
    groups = _text(root / "proc/self/cgroup")
    if "/step_" in groups and "slurm" in groups:
        return "it is a step of a SLURM job, which ends with its command"
    if "session-" in groups and ".scope" in groups and _kills_user_processes(root) and not _lingers(root):
        return "processes of this user are ended at logout (KillUserProcesses); loginctl enable-linger keeps them"
    return ""


def _where(run: RunDirectory, state: RunState) -> str:
    from fxtui.cli.following.report import reference

    at = f"epoch {min(len(state.epochs) + 1, state.epochs_planned)} of {state.epochs_planned}"
    how = "holds" if state.holding else "goes on" if not state.epochs_planned else "trains on"
    where = f", {at}" if state.epochs_planned and not state.holding else ""
    return f"{run.name} {how} (pid {os.getpid()}){where}: fxtui attach {reference(run)}"


def _kills_user_processes(root: Path) -> bool:
    files = [root / "etc/systemd/logind.conf", *sorted((root / "etc/systemd/logind.conf.d").glob("*.conf"))]
    settings = [line.replace(" ", "").lower() for file in files for line in _text(file).splitlines()]
    found = [line.partition("=")[2] for line in settings if line.startswith("killuserprocesses=")]
    return bool(found) and found[-1] in ("yes", "true", "1", "on")


def _lingers(root: Path) -> bool:
    name = os.environ.get("USER") or os.environ.get("LOGNAME") or ""
    return bool(name) and (root / "var/lib/systemd/linger" / name).exists()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
