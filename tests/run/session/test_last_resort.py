"""An engine that cannot even say how it ended is seen to be gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxtui.config import parse_config
from fxtui.engine import job
from fxtui.protocol import events as ev
from fxtui.run.session.link import EngineLink
from fxtui.run.session.local import LocalSession
from fxtui.run.store import RunStore

CONFIG = parse_config({"data": {"source": "digits"}}, [])


def ended(tmp_path: Path) -> tuple[LocalSession, ev.RunFinished]:
    run = RunStore(tmp_path).create(CONFIG)
    session = LocalSession(run, lambda link: job.run_job(CONFIG, link))
    session.start()
    session.join(60)
    assert not session.alive
    assert not run.is_locked()
    finished = session.events()[-1]
    assert isinstance(finished, ev.RunFinished)
    assert (finished.status, finished.exit_status) == ("failed", 1)
    assert session.link.closed
    return session, finished


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("broken")


def no_memory(*_: object, **__: object) -> None:
    raise MemoryError


@pytest.mark.parametrize("fault", [broken, no_memory])
def test_nothing_can_be_emitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: object) -> None:
    monkeypatch.setattr(EngineLink, "emit", fault)
    _, finished = ended(tmp_path)
    assert finished.reason.startswith("RuntimeError: broken" if fault is broken else "MemoryError")


def test_nothing_can_be_journalled_for_want_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fxtui.run.journal.encode", no_memory)
    ended(tmp_path)


def test_how_it_failed_cannot_be_put_into_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class WordlessError(Exception):
        def __str__(self) -> str:
            raise MemoryError

    def fails(*_: object) -> None:
        raise WordlessError

    monkeypatch.setattr("fxtui.engine.work.work", fails)
    _, finished = ended(tmp_path)
    assert finished.reason == "WordlessError: something could not even be said"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_even_the_last_resort_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_failed", no_memory)
    monkeypatch.setattr("fxtui.engine.work.work", broken)
    _, finished = ended(tmp_path)
    assert finished.reason == "the engine ended without a result: MemoryError"
