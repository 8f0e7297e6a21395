"""A session with a run elsewhere: past and present make one whole, whatever is cut, dropped, stopped or killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxtui.config import ConfigError
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.protocol.encoding import decode, encode
from fxtui.run.journal import JournalWriter, read_journal
from fxtui.run.session import viewer as viewer_module
from fxtui.run.session.address import Address, control_file, inode_of, read_address, write_address
from fxtui.run.session.attached import AttachedSession
from fxtui.run.session.control import ControlServer
from fxtui.run.session.link import EngineLink
from fxtui.run.session.liveness import LifeWatch
from fxtui.run.session.subscription import MERGED
from fxtui.run.state import RunState, fold
from fxtui.run.store import RunDirectory, RunLock, RunStore
from tests.cli.recorded import record
from tests.run.samples import opening, trained, whole_run
from tests.run.session.scripted import FINISHED, SECONDS, ScriptedRun, answer_to, attached, made, scripted, send, until

ROOT = Path(__file__).parents[3]
# All of a whole run but its end, for any order: what a fold makes of it is not the point, that it is the same is.
WORDS = whole_run()[:-1]


class Follower:
    """Folds what a session gives, as a view does, and looks that nothing comes twice or late."""

    def __init__(self, session: AttachedSession) -> None:
        self._session = session
        past = session.take_past(SECONDS)
        assert past is not None
        self.state: RunState = past
        self.seqs: list[int] = []

    def follow_to(self, seq: int) -> None:
        """Take in what comes, up to this number."""
        until(lambda: self._take() >= seq)

    def _take(self) -> int:
        for event in self._session.events():
            assert event.seq > self.state.seq
            self.seqs.append(event.seq)
            self.state.apply(event)
        return self.state.seq


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


def watched(tmp_path: Path, **fields: object) -> tuple[RunDirectory, RunLock]:
    run = made(tmp_path)
    known = {"path": "/nowhere", "host": os.uname().nodename, "pid": os.getpid(), "beat": 1.0, "version": "0"}
    import psutil

    known |= {"started": psutil.Process().create_time(), "inode": inode_of(run), **fields}
    write_address(run, Address(**known))  # type: ignore[arg-type]
    return run, RunLock(run)


def test_it_runs_is_silent_and_dies(tmp_path: Path) -> None:
    run, lock = watched(tmp_path)
    life = LifeWatch(run, 100.0)
    assert life.look(100.0, ended=False).status == "running"
    assert life.look(104.0, ended=False).status == "running"
    silent = life.look(120.0, ended=False)
    assert (silent.status, silent.seconds, silent.text) == ("silent", 20.0, "no news for 20.0 s")
    life.heard(121.0)
    assert life.look(122.0, ended=False).status == "running"
    assert life.look(122.0, ended=True).status == "ended"
    lock.release()
    assert life.look(122.0, ended=False).status == "dead"


def test_a_number_that_is_another_processs_by_now_is_dead(tmp_path: Path) -> None:
    run, lock = watched(tmp_path, started=5.0)
    assert LifeWatch(run, 0.0).look(0.0, ended=False).status == "dead"
    lock.release()


def test_elsewhere_a_beat_counts_and_no_clock_is_compared(tmp_path: Path) -> None:
    run, lock = watched(tmp_path, host="elsewhere", pid=1, started=0.0, beat=1e12)
    lock.release()
    life = LifeWatch(run, 0.0)
    assert life.look(1.0, ended=False).status == "running"
    assert life.look(30.0, ended=False).status == "dead"
    held = RunLock(run)
    assert life.look(30.0, ended=False).status == "silent"
    held.release()


# In earnest: a run in a process of its own.


@contextlib.contextmanager
def process(what: str, runs: Path) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [sys.executable, "-m", "tests.cli.following.made_up", "json", what, str(runs)]
    child = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGCONT)
        child.kill()
        child.communicate()


def begun(runs: Path) -> RunDirectory:
    """The run in it, once its first epoch is done."""
    until(lambda: RunStore(runs).list() and b"epoch_end" in _bytes(RunStore(runs).list()[0].journal))
    return RunStore(runs).find("last")


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def test_a_run_in_another_process_is_steered_and_its_end_is_seen(tmp_path: Path) -> None:
    with process("waits", tmp_path) as child:
        run = begun(tmp_path)
        with attached(run) as session:
            follower = Follower(session)
            assert session.wait_connected(SECONDS)
            session.send(cmd.Stop(when="now"))
            until(lambda: not session.alive)
            follower.follow_to(0)
            assert follower.state == run.load_state()
            assert follower.state.phase == "stopped"
        said = child.stdout.read().splitlines() if child.stdout else []
        assert isinstance(decode(said[-1]), ev.RunFinished)
        assert json.loads(said[-1])["seq"] == follower.state.seq
        assert child.wait(SECONDS) == 0


def test_a_killed_process_is_dead_within_two_seconds(tmp_path: Path) -> None:
    with process("waits", tmp_path) as child:
        run = begun(tmp_path)
        with attached(run) as session:
            assert session.wait_connected(SECONDS)
            unanswered = send(session, cmd.Pause())
            child.kill()
            # Not a measure of speed: the machine may be slow, this process too. What counts is how often it looks.
            looks = _looks(session)
            until(lambda: session.liveness.status == "dead")
            assert looks() <= 4
            until(lambda: any(isinstance(e, ev.CommandRefused) and e.id == unanswered.id for e in session.events()))


def _looks(session: AttachedSession):  # type: ignore[no-untyped-def]  # a counter
    seen: list[float] = []
    look = session._life.look

    def counting(now: float, *, ended: bool):  # type: ignore[no-untyped-def]  # as it is
        seen.append(now)
        return look(now, ended=ended)

    session._life.look = counting  # type: ignore[method-assign]
    return lambda: len(seen)


def test_a_stopped_process_is_said_to_be_stopped_and_goes_on(tmp_path: Path) -> None:
    with process("waits", tmp_path) as child:
        run = begun(tmp_path)
        with attached(run) as session:
            assert session.wait_connected(SECONDS)
            child.send_signal(signal.SIGSTOP)
            until(lambda: session.liveness.status == "stopped")
            assert session.alive
            sent = send(session, cmd.Stop(when="now"))
            child.send_signal(signal.SIGCONT)
            until(lambda: not session.alive)
            assert sent.id
        assert child.wait(SECONDS) == 0


def test_a_viewer_that_is_stopped_or_killed_is_nothing_to_the_run(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from fxtui.run.session.attached import AttachedSession; "
        "from fxtui.run.store import RunDirectory; s = AttachedSession(RunDirectory(Path(sys.argv[1]))); s.start(); "
        "s.take_past(30); s.wait_connected(30); print('there', flush=True); time.sleep(60)"
    )
    with scripted(tmp_path) as running:
        running.say(*opening())
        viewer = subprocess.Popen([sys.executable, "-c", code, str(running.run.path)], cwd=ROOT, stdout=subprocess.PIPE)
        assert viewer.stdout is not None
        assert viewer.stdout.readline() == b"there\n"
        until(lambda: running.session.link.watched)
        viewer.send_signal(signal.SIGSTOP)
        running.say(*[ev.Output(text="x" * 1000)] * 3000)
        viewer.kill()
        viewer.communicate()
        until(lambda: not running.session.link.watched)
        running.say(*trained(1, 0.9))


def test_nothing_of_it_loads_torch_or_textual() -> None:
    code = (
        "import sys, fxtui.run.session.attached\n"
        "print([name for name in ('torch', 'textual', 'rich', 'psutil') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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
