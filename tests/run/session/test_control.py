"""The control socket against whoever comes: the run does not notice, and a proper viewer beside is served."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.session.address import control_file, read_address
from fxtui.run.session.control import MOST_VIEWERS
from tests.run.session.raw_viewer import Raw, serves
from tests.run.session.scripted import ScriptedRun, answer_to, attached, made, scripted, until


def test_where_it_lies_and_who_may_use_it(running: ScriptedRun) -> None:
    found = read_address(running.run)
    assert found is not None
    path = Path(found.path)
    assert path.parent == Path(os.environ["XDG_RUNTIME_DIR"], "fxtui")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(control_file(running.run).stat().st_mode) == 0o600
    assert (found.pid, found.host) == (os.getpid(), socket.gethostname())
    assert abs(found.beat - time.time()) < 10


def test_hello_says_whose_it_is_and_a_subscriber_hears_from_where_it_is(running: ScriptedRun) -> None:
    with Raw(running.run) as raw:
        hello = raw.line()
        assert hello is not None
        assert (hello["type"], hello["run"], hello["seq"], hello["viewers"]) == ("hello", running.run.name, 0, 0)
        assert (hello["pid"], hello["host"]) == (os.getpid(), socket.gethostname())
        raw.send(b'{"type":"subscribe","from":1}\n')
        until(lambda: running.session.link.watched)
        running.say(ev.Output(text="a"))
        assert raw.until("output")["seq"] == 1
        assert raw.until("heartbeat")["viewers"] == 1
    until(lambda: not running.session.link.watched)


def test_who_asks_for_the_past_is_sent_to_the_journal(running: ScriptedRun) -> None:
    running.say(ev.Output(text="a"), ev.Output(text="b"))
    with Raw(running.run) as raw:
        raw.send(b'{"type":"subscribe","from":1,"viewer":false}\n')
        assert raw.until("missed")["from"] == 1
        running.say(ev.Output(text="c"))
        assert raw.until("output")["seq"] == 3
        assert not running.session.link.watched


def test_a_command_is_answered_by_its_id_and_done_once_however_often_it_is_sent(running: ScriptedRun) -> None:
    with Raw(running.run) as raw:
        raw.send(b'{"type":"subscribe","viewer":false}\n')
        order = b'{"type":"command","command":{"type":"add_epochs","n":2,"id":"7","client":"me","origin":"ctl"}}\n'
        raw.send(order * 3)
        done = raw.until("command_done")
        assert (done["command"], done["id"], done["client"]) == ("add_epochs", "7", "me")
        raw.send(b'{"type":"command","command":{"type":"pause","id":"8"}}\n')
        assert raw.until("command_done")["id"] == "8"
    assert running.taken == [cmd.AddEpochs(n=2, id="7", client="me", origin="ctl"), cmd.Pause(id="8")]


@pytest.mark.parametrize(
    "command",
    [b'{"type":"fly","id":"1","client":"me"}', b'{"type":"set_lr","lr":"much","id":"1","client":"me"}'],
    ids=["unknown", "wrong"],
)
def test_a_command_of_another_version_is_refused_and_the_next_one_heard(running: ScriptedRun, command: bytes) -> None:
    with Raw(running.run) as raw:
        raw.send(b'{"type":"command","command":' + command + b"}\n")
        refused = raw.until("command_refused")
        assert (refused["id"], refused["client"]) == ("1", "me")
        assert "not understood" in refused["reason"]
        raw.send(b'{"type":"subscribe"}\n{"type":"command","command":{"type":"pause","id":"2"}}\n')
        assert raw.until("command_done")["id"] == "2"


@pytest.mark.parametrize(
    "words",
    [
        b"\n",
        b"rubbish\n",
        b"[]\n",
        b'{"type":"subscribe","from":"x"}\n',
        b'{"type":"hello"}\n',
        b"\x00\xff\xfe\n",
        b"[" * 60_000 + b"\n",
        b'{"type":"subscribe","from":1e400}\n',
        b"x" * 70_000,
        b"x" * 70_000 + b"\n",
        b'{"type":"command"}\n',
        b'{"type":"command","command":7}\n',
    ],
)
def test_who_talks_rubbish_is_hung_up_on(running: ScriptedRun, words: bytes) -> None:
    with Raw(running.run) as raw:
        raw.send(words)
        assert raw.is_closed()
    serves(running)


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedRun]:
    """One run for many attacks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("besieged")))
        with scripted(tmp_path_factory.mktemp("runs")) as run:
            run.say(ev.RunStarted(name="x", version="0", epochs=1, config={}))
            yield run


PROPER = st.sampled_from(
    [
        b'{"type":"subscribe","from":0}\n',
        b'{"type":"subscribe"}\n',
        b'{"type":"command","command":{"type":"pause"}}\n',
        b'{"type":"command","command":{"type":"set_trainable","paths":["a"],"value":true}}\n',
        b'{"type":"command","command":{"type":"predict","images":[1,"x"]}}\n',
    ]
)
PIECES = st.lists(
    st.one_of(st.binary(max_size=200), PROPER, PROPER.flatmap(lambda line: st.just(line[:-3]))), max_size=8
)


def attack(run: ScriptedRun, pieces: list[bytes], reads: bool) -> None:
    with Raw(run.run) as raw:
        for piece in pieces:
            raw.send(piece)
        if reads:
            with contextlib.suppress(OSError):
                raw.socket.shutdown(socket.SHUT_WR)
            assert raw.is_closed()
    assert run.session.alive
    assert run.session._control is not None
    assert run.session._control._thread.is_alive()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=PIECES, reads=st.booleans())
def test_whatever_is_sent_the_run_goes_on(besieged: ScriptedRun, pieces: list[bytes], reads: bool) -> None:
    attack(besieged, pieces, reads)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=PIECES, reads=st.booleans())
def test_whatever_is_sent_long(besieged: ScriptedRun, pieces: list[bytes], reads: bool) -> None:
    attack(besieged, pieces, reads)


def test_after_all_that_it_still_serves(besieged: ScriptedRun) -> None:
    serves(besieged)


def connections(running: ScriptedRun, count: int) -> list[socket.socket]:
    found = read_address(running.run)
    assert found is not None
    made = []
    for _ in range(count):
        one = socket.socket(socket.AF_UNIX)
        made.append(one)
        one.connect(found.path)
    return made


def crowd(running: ScriptedRun, count: int) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    opened = connections(running, count)
    try:
        control = running.session._control
        assert control is not None
        until(lambda: len(control._viewers) == MOST_VIEWERS)
        # The test's own ends, and those that the engine's side took.
        assert len(os.listdir("/proc/self/fd")) <= descriptors + count + MOST_VIEWERS + 70  # noqa: PTH208
        running.say(ev.Output(text="goes on"))
    finally:
        for one in opened:
            one.close()
    until(lambda: not control._viewers)
    serves(running)


def test_more_connections_than_it_takes(running: ScriptedRun) -> None:
    crowd(running, 2 * MOST_VIEWERS)


@pytest.mark.slow
def test_a_thousand_connections(running: ScriptedRun) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        crowd(running, 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_says_nothing_is_hung_up_on(running: ScriptedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fxtui.run.session.control._SILENT_SECONDS", 0.1)
    with Raw(running.run) as silent, Raw(running.run) as halves:
        halves.send(b'{"type":')
        assert silent.is_closed()
        assert halves.is_closed()


def test_readers_that_never_read_hold_nothing_up_and_are_dropped(
    running: ScriptedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fxtui.run.session.control._STALLED_SECONDS", 1.0)
    control = running.session._control
    assert control is not None
    with contextlib.ExitStack() as stack:
        stuck = [stack.enter_context(Raw(running.run)) for _ in range(5)]
        for raw in stuck:
            raw.send(b'{"type":"subscribe"}\n')
        until(lambda: running.session.link.viewers == 5)
        words = ev.Output(text="x" * 10_000)
        for _ in range(100):
            running.say(*[words] * 10)
            waiting = max((viewer.outbox._bytes for viewer in list(control._viewers)), default=0)
            assert waiting <= 2 << 20
        with attached(running.run, read_only=True) as viewer:
            viewer.take_past(30)
            until(lambda: running.session.link.viewers == 0)
            running.say(ev.Output(text="last"))
            until(lambda: any(isinstance(e, ev.Output) and e.text == "last" for e in viewer.events()))


def test_a_flood_of_commands_is_bounded_and_the_rest_refused(tmp_path: Path) -> None:
    from fxtui.run.session.control import MOST_WAITING
    from fxtui.run.session.link import EngineLink
    from fxtui.run.session.local import LocalSession

    gate = threading.Event()

    def busy(link: EngineLink) -> None:
        link.emit(ev.RunStarted(name="x", version="0", epochs=1, config={}))
        gate.wait(60)

    session = LocalSession(made(tmp_path), busy)
    session.start()
    try:
        with Raw(session.run) as raw:
            order = b'{"type":"command","command":{"type":"pause","id":"%d"}}\n'
            for number in range(MOST_WAITING + 10):
                raw.send(order % number)
            assert "too many" in raw.until("command_refused")["reason"]
            assert session.link.waiting_commands == MOST_WAITING
    finally:
        gate.set()
        session.join()


def test_another_users_process_is_not_let_in(running: ScriptedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with Raw(running.run) as raw:
        assert raw.line() is None
    monkeypatch.undo()
    serves(running)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_not_let_in_even_where_files_would_let_him(running: ScriptedRun) -> None:
    found = read_address(running.run)
    assert found is not None
    path = Path(found.path)
    path.parent.chmod(0o777)
    path.chmod(0o666)
    code = (
        "import os, socket, sys; os.chdir(sys.argv[1]); os.setuid(65534); s = socket.socket(socket.AF_UNIX); "
        "s.settimeout(10); s.connect(sys.argv[2]); print(s.recv(100))"
    )
    arguments = [sys.executable, "-c", code, str(path.parent), path.name]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.stdout == "b''\n", done.stderr
    serves(running)


def test_a_viewer_without_a_right_to_the_socket_sees_and_is_told(
    running: ScriptedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fxtui.run.session.attached._REACH_SECONDS", 0.1)

    def refuse(_self: socket.socket, _path: str) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("socket.socket.connect", refuse)
        with attached(running.run) as viewer:
            assert viewer.take_past(30) is not None
            refusal = answer_to(viewer, cmd.Pause())
            assert isinstance(refusal, ev.CommandRefused)
            assert refusal.reason.endswith("no right to its control socket")
            running.say(ev.Output(text="seen"))
            until(lambda: any(isinstance(event, ev.Output) for event in viewer.events()))
