"""A session with a run elsewhere: past and present make one whole, whatever is cut, dropped, stopped or killed."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxtui.config import ConfigError
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.protocol.encoding import encode
from fxtui.run.journal import JournalWriter, read_journal
from fxtui.run.session import viewer as viewer_module
from fxtui.run.session.address import control_file, read_address
from fxtui.run.session.attached import AttachedSession
from fxtui.run.session.control import ControlServer
from fxtui.run.session.link import EngineLink
from fxtui.run.session.subscription import MERGED
from fxtui.run.state import RunState, fold
from fxtui.run.store import RunDirectory, RunLock
from tests.cli.recorded import record
from tests.run.samples import opening, trained, whole_run
from tests.run.session.follower import Follower
from tests.run.session.scripted import FINISHED, SECONDS, answer_to, attached, made, scripted, send, until

# All of a whole run but its end, for any order: what a fold makes of it is not the point, that it is the same is.
WORDS = whole_run()[:-1]


def replay(run: RunDirectory, upto: int) -> RunState:
    """The state of a run after the event with this number."""
    # Before its first words a run is called as its directory is.
    state = RunState(name=run.name)
    for event in read_journal(run.journal):
        if event.seq <= upto:
            state.apply(event)
    return state


@settings(max_examples=40, deadline=None)
@given(
    before=st.lists(st.sampled_from(WORDS), max_size=30),
    bursts=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30), min_size=1, max_size=4),
    narrow=st.booleans(),
    reads_between=st.booleans(),
)
def test_what_is_shown_is_the_replay_wherever_one_joins_and_however_much_overflows(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[ev.Event],
    bursts: list[list[ev.Event]],
    narrow: bool,
    reads_between: bool,
) -> None:
    run = made(tmp_path_factory.mktemp("runs"))
    lock = RunLock(run)
    with pytest.MonkeyPatch.context() as patch:
        if narrow:
            patch.setattr(viewer_module, "_LINES", 2)
            patch.setattr("fxtui.run.session.subscription.Subscription.__init__.__kwdefaults__", _narrow(3))
        link = EngineLink(run, JournalWriter(run.journal))
        server = ControlServer(link)
        server.start()
        for event in before:
            link.emit(event)
        with attached(run) as session:
            follower = Follower(session)
            first = follower.state.seq + 1
            for burst in bursts:
                for event in burst:
                    link.emit(event)
                if reads_between:
                    follower.follow_to(link.next_seq - 1)
                    assert follower.state == replay(run, follower.state.seq)
            link.emit(FINISHED)
            server.close()
            follower.follow_to(link.next_seq - 1)
            assert follower.state == replay(run, link.next_seq)
            assert not session.alive
        lost = {event.seq for event in read_journal(run.journal) if event.seq >= first} - {*follower.seqs}
        assert all(type(event) in MERGED for event in read_journal(run.journal) if event.seq in lost)
    lock.release()


def _narrow(bound: int) -> dict[str, object]:
    from fxtui.run.session.subscription import Subscription

    defaults = Subscription.__init__.__kwdefaults__
    assert defaults is not None
    return {**defaults, "bound": bound}


def test_the_past_is_read_while_others_have_their_turn_and_says_how_far_it_is(tmp_path: Path) -> None:
    events = [*opening(), *(event for number in range(1, 3000) for event in trained(number, 0.9))]
    run = record(tmp_path, "long", events)
    with attached(run) as session:
        parts = []
        while (past := session.take_past(0.001)) is None:
            parts.append(session.read_part)
        assert parts == sorted(parts)
        assert any(0 < part < 1 for part in parts)
        assert past == run.load_state()
        assert session.read_part == 1.0


def test_a_first_look_needs_the_first_lines_only(tmp_path: Path) -> None:
    run = record(tmp_path, "x", whole_run())
    with run.journal.open("ab") as journal:
        journal.write(b"rubbish, far behind\n")
    session = AttachedSession(run)
    assert session.first_look() == fold(whole_run()[: len(opening())])
    session.close()
    run.journal.unlink()
    assert session.first_look() == RunState(name=run.name)


def test_leaving_while_the_past_is_read_does_not_wait_for_it(tmp_path: Path) -> None:
    run = record(tmp_path, "long", [*opening(), *(e for n in range(1, 3000) for e in trained(n, 0.9))])
    session = AttachedSession(run)
    session.start()
    session.close()
    assert session.read_part == 1.0


@pytest.mark.parametrize(
    ("journal", "words"), [(None, "has no events.jsonl"), (b"rubbish\n", "not an event"), (b"", "")]
)
def test_a_journal_that_cannot_be_read_is_said(tmp_path: Path, journal: bytes | None, words: str) -> None:
    run = made(tmp_path)
    if journal is not None:
        run.journal.write_bytes(journal)
    with attached(run) as session:
        if words:
            with pytest.raises(ConfigError, match=words):
                session.take_past(SECONDS)
        else:
            assert session.take_past(SECONDS) == RunState(name=run.name)


def test_a_run_that_has_ended_is_shown_and_takes_nothing(tmp_path: Path) -> None:
    run = record(tmp_path, "ended", whole_run())
    with attached(run) as session:
        assert session.take_past(SECONDS) == fold(whole_run())
        refusal = answer_to(session, cmd.UnfreezeNext())
        assert isinstance(refusal, ev.CommandRefused)
        assert (refusal.reason, refusal.seq, refusal.t) == (
            "the run has ended",
            whole_run()[-1].seq,
            whole_run()[-1].t,
        )
        assert not session.alive
        assert session.liveness.status == "ended"


def test_a_run_whose_process_is_gone_is_said_to_be_dead(tmp_path: Path) -> None:
    run = record(tmp_path, "killed", whole_run()[:-1])
    with attached(run) as session:
        assert session.take_past(SECONDS) is not None
        assert session.liveness.status == "dead"
        refusal = answer_to(session, cmd.Pause())
        assert isinstance(refusal, ev.CommandRefused)
        assert f"train --resume {run.name}" in refusal.reason


def test_read_only_sees_everything_and_changes_nothing(tmp_path: Path) -> None:
    with scripted(tmp_path) as running, attached(running.run, read_only=True) as session:
        follower = Follower(session)
        running.say(*opening())
        follower.follow_to(len(opening()) - 1)
        refusal = answer_to(session, cmd.Pause())
        assert isinstance(refusal, ev.CommandRefused)
        assert "read-only" in refusal.reason
        assert not running.session.link.watched
        assert running.taken == []


def test_viewers_are_counted_and_a_script_is_none(tmp_path: Path) -> None:
    link = None
    with scripted(tmp_path) as running:
        link = running.session.link
        running.say(*opening())
        with attached(running.run) as one, attached(running.run) as other, attached(running.run, viewer=False) as ctl:
            until(lambda: link.viewers == 2)
            until(lambda: one.viewers == other.viewers == ctl.viewers == 2)
        until(lambda: link.viewers == 0)


def test_two_that_press_at_once_get_an_answer_each(tmp_path: Path) -> None:
    with scripted(tmp_path) as running:
        running.say(*opening())
        with attached(running.run) as one, attached(running.run) as other:
            assert one.wait_connected(SECONDS)
            assert other.wait_connected(SECONDS)
            sent = [send(session, cmd.AddEpochs(n=1)) for _ in range(20) for session in (one, other)]
            for session in (one, other):
                answers: list[str] = []
                while len(answers) < len(sent):
                    event = session.wait_event(SECONDS)
                    assert event is not None
                    if isinstance(event, ev.CommandDone):
                        answers.append(event.id)
                assert sorted(answers) == sorted(command.id for command in sent)
        assert len(running.taken) == len(sent)


def test_a_command_sent_while_the_connection_is_lost_is_done_once(tmp_path: Path) -> None:
    with scripted(tmp_path) as running:
        running.say(*opening())
        control = running.session._control
        assert control is not None
        with attached(running.run) as session:
            assert session.wait_connected(SECONDS)
            for number in range(30):
                session.send(cmd.AddEpochs(n=number))
                if number % 10 == 5:
                    for viewer in list(control._viewers):
                        with contextlib.suppress(OSError):
                            viewer.connection.shutdown(2)
            answered: list[str] = []
            while len(answered) < 30:
                event = session.wait_event(SECONDS)
                assert event is not None
                if isinstance(event, ev.CommandDone | ev.CommandRefused):
                    answered.append(event.id)
            assert len({*answered}) == 30
        assert len(running.taken) == 30


@pytest.mark.parametrize("images", [("x" * 70_000,), ("\udce9.png",)])
def test_what_cannot_be_sent_is_refused_and_the_next_is_done(tmp_path: Path, images: tuple[str, ...]) -> None:
    with scripted(tmp_path) as running, attached(running.run) as session:
        running.say(*opening())
        refusal = answer_to(session, cmd.Predict(images=images))
        assert isinstance(refusal, ev.CommandRefused)
        assert isinstance(answer_to(session, cmd.Pause()), ev.CommandDone)
        assert len(running.taken) == 1


def test_an_event_too_long_for_the_socket_comes_from_the_journal(tmp_path: Path) -> None:
    with scripted(tmp_path) as running, attached(running.run) as session:
        follower = Follower(session)
        assert session.wait_connected(SECONDS)
        running.say(ev.Output(text="x" * 3_000_000), ev.Output(text="y"))
        follower.follow_to(1)
        assert [len(line.text) for line in follower.state.log] == [3_000_000, 1]


def test_a_journal_that_looks_like_ours_and_is_not_is_said(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.journal.write_bytes(
        encode(ev.BatchEnd(epoch=1, step=1, batch=1, batches=0, loss=1.0, accuracy=0, lr=1)) + b"\n"
    )
    with attached(run) as session, pytest.raises(ConfigError, match="a figure is beyond all bounds"):
        session.take_past(SECONDS)


def test_what_is_sent_before_it_is_connected_waits(tmp_path: Path) -> None:
    with scripted(tmp_path) as running:
        running.say(*opening())
        session = AttachedSession(running.run)
        sent = send(session, cmd.Pause())
        session.start()
        until(lambda: any(isinstance(e, ev.CommandDone) and e.id == sent.id for e in session.events()))
        session.close()


def test_without_a_socket_the_journal_is_followed_and_commands_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fxtui.run.session.attached._REACH_SECONDS", 0.1)
    run = made(tmp_path)
    lock = RunLock(run)
    with JournalWriter(run.journal) as journal, attached(run) as session:
        follower = Follower(session)
        for event in whole_run()[:-1]:
            journal.append(event)
        follower.follow_to(whole_run()[-2].seq)
        assert (session.alive, session.liveness.status, session.connected) == (True, "running", False)
        refusal = answer_to(session, cmd.Pause())
        assert isinstance(refusal, ev.CommandRefused)
        assert "no control socket" in refusal.reason
        journal.append(whole_run()[-1])
        until(lambda: not session.alive)
    lock.release()


def test_a_copy_of_a_run_is_not_the_run(tmp_path: Path) -> None:
    with scripted(tmp_path / "runs") as running:
        running.say(*opening())
        copied = RunDirectory(tmp_path / "copy" / running.run.name)
        until(lambda: control_file(running.run).exists())
        shutil.copytree(running.run.path, copied.path, ignore=shutil.ignore_patterns(".control.tmp"))
        with attached(copied) as session:
            assert session.take_past(SECONDS) is not None
            assert not session.wait_connected(0.7)
            # It may be made anew time and again, as by rsync.
            with copied.journal.open("ab") as journal:
                journal.write(encode(ev.Output(text="more", seq=len(opening()), t=1.0)) + b"\n")
            event = session.wait_event(SECONDS)
            assert isinstance(event, ev.Output)
        assert running.taken == []


def test_with_the_directory_of_the_socket_away_one_can_attach_again(tmp_path: Path) -> None:
    with scripted(tmp_path) as running:
        running.say(*opening())
        found = read_address(running.run)
        assert found is not None
        shutil.rmtree(Path(found.path).parent)
        with attached(running.run) as session:
            assert session.wait_connected(SECONDS)
            assert isinstance(answer_to(session, cmd.Pause()), ev.CommandDone)


# The life of a process elsewhere, judged by made-up files.


# In earnest: a run in a process of its own.


@pytest.mark.slow
def test_a_million_events_are_read_with_a_screen_beside(tmp_path: Path) -> None:
    run = made(tmp_path)
    lines = [encode(event) for event in trained(1, 0.9)[:2]]
    with run.journal.open("wb") as file:
        for number in range(500_000):
            for at, line in enumerate(lines):
                file.write(line.replace(b'"seq":-1', b'"seq":%d' % (2 * number + at)) + b"\n")
    with attached(run) as session:
        turns, longest, last = 0, 0.0, time.monotonic()
        while (past := session.take_past(0.01)) is None:
            now = time.monotonic()
            turns, longest, last = turns + 1, max(longest, now - last), now
        assert past.seq == 999_999
        assert turns > 20
