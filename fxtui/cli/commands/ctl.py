"""``fxtui ctl``: tell a run that trains somewhere on this machine to do something, and wait for its answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fxtui.cli.options import DEFAULT_RUNS, Json, RunReference, Runs
from fxtui.config import ConfigError
from fxtui.protocol.command_words import NAMES, WordsError, command_of
from fxtui.protocol.commands import AnyCommand, Predict
from fxtui.protocol.events import CommandDone, CommandRefused

if TYPE_CHECKING:
    from fxtui.run.session.attached import AttachedSession

DONE, REFUSED, NOT_RUNNING = 0, 1, 3
_REACH_SECONDS = 10.0
_POLL_SECONDS = 0.5


def ctl(
    run: RunReference,
    words: Annotated[list[str], typer.Argument(metavar="COMMAND [KEY=VALUE ...]", help=f"One of: {', '.join(NAMES)}.")],
    json: Json = False,
    runs: Runs = DEFAULT_RUNS,
) -> int:
    """Send a command to a run and wait for the answer, e.g. fxtui ctl last unfreeze layer4.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 the run cannot be told anything: it does not run.
    """
    from fxtui.cli.output.streams import complain
    from fxtui.run.session.attached import AttachedSession
    from fxtui.run.store import RunStore

    command = _command(words)
    session = AttachedSession(RunStore(runs).find(run), viewer=False, history=False)
    session.start()
    try:
        if not session.wait_connected(_REACH_SECONDS):
            reason = session.out_of_reach
            if json:
                _print({"type": "not_running", "run": session.run.name, "reason": reason})
            else:
                complain(f"{session.run.name}: {reason}")
            return NOT_RUNNING
        command = session.stamp(command)
        session.send(command)
        answer = _answer(session, command.id)
    finally:
        session.close()
    if json:
        _print(answer)
    elif isinstance(answer, CommandDone):
        typer.echo(answer.text or f"{answer.command}: done")
    else:
        complain(answer.reason)
    if isinstance(answer, CommandDone):
        return DONE
    return REFUSED if session.alive else NOT_RUNNING


def _command(words: list[str]) -> AnyCommand:
    try:
        command = command_of(words)
    except WordsError as error:
        raise ConfigError(f"ctl: {error}") from None
    if isinstance(command, Predict):
        # The run's process is at home elsewhere.
        images = tuple(str(Path(image).absolute()) if isinstance(image, str) else image for image in command.images)
        command = msgspec.structs.replace(command, images=images)
    sent: AnyCommand = msgspec.structs.replace(command, origin="ctl")
    return sent


def _answer(session: AttachedSession, number: str) -> CommandDone | CommandRefused:
    while True:
        # In turns, so that ctrl-c is heeded.
        event = session.wait_event(_POLL_SECONDS)
        if isinstance(event, CommandDone | CommandRefused) and event.id == number:
            return event


def _print(record: object) -> None:
    sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
