"""A session with a run in another process: steered, stopped, killed, and viewers that are."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.protocol.encoding import decode
from fxtui.run.session.attached import AttachedSession
from fxtui.run.store import RunDirectory, RunStore
from tests.run.samples import opening, trained
from tests.run.session.follower import Follower
from tests.run.session.scripted import SECONDS, attached, scripted, send, until

ROOT = Path(__file__).parents[3]


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
