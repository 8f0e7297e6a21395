"""A run that has ended goes on for who watches it."""

from __future__ import annotations

import os
from pathlib import Path

from fxtui.config import ConfigError
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.session.attached import AttachedSession
from fxtui.run.store import RunDirectory
from tests.cli.recorded import record
from tests.run.samples import opening, whole_run
from tests.run.session.scripted import SECONDS, ScriptedRun, answer_to, attached, scripted, until


def test_a_run_that_goes_on_after_its_end_is_followed_again(tmp_path: Path) -> None:
    with scripted(tmp_path) as running:
        running.say(*opening())
        with attached(running.run) as session:
            assert session.take_past(SECONDS) is not None
            running.end()
            until(lambda: not session.alive)
            from tests.run.session.scripted import ScriptedRun

            again = ScriptedRun(running.run)
            again.session.start()
            again.say(ev.RunContinued(epoch=1, step=0, epochs=3, pid=os.getpid()))
            until(lambda: session.alive and session.connected)
            assert isinstance(answer_to(session, cmd.Pause()), ev.CommandDone)
            again.end()


def test_what_trains_on_takes_an_ended_run_up_and_is_put_to_it(tmp_path: Path) -> None:
    run = record(tmp_path, "ended", whole_run())
    taken: list[ScriptedRun] = []

    def take_up(ended: RunDirectory) -> None:
        taken.append(ScriptedRun(ended))
        taken[0].session.start()

    session = AttachedSession(run, take_up=take_up)
    session.start()
    try:
        session.send(cmd.FreezeAll())
        refusal = session.wait_event(SECONDS)
        assert isinstance(refusal, ev.CommandRefused)
        assert not taken
        session.send(cmd.AddEpochs(n=2))
        session.send(cmd.UnfreezeNext())
        until(lambda: taken and len(taken[0].taken) == 2)
        assert [command.name for command in taken[0].taken] == ["add_epochs", "unfreeze_next"]
        assert len(taken) == 1
    finally:
        session.close()
        taken[0].end()


def test_why_an_ended_run_cannot_be_taken_up_is_the_answer(tmp_path: Path) -> None:
    def take_up(ended: RunDirectory) -> None:
        raise ConfigError(f"{ended.name}: has no checkpoint yet")

    session = AttachedSession(record(tmp_path, "ended", whole_run()), take_up=take_up)
    session.start()
    try:
        session.send(cmd.AddEpochs(n=2))
        refusal = session.wait_event(SECONDS)
        assert isinstance(refusal, ev.CommandRefused)
        assert refusal.reason.endswith("has no checkpoint yet")
    finally:
        session.close()
