"""A run that is under way, for whoever asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fxtui.protocol import events as ev
from tests.run.session.scripted import ScriptedRun, scripted


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ScriptedRun]:
    with scripted(tmp_path) as run:
        run.say(ev.RunStarted(name="x", version="0", epochs=1, config={}))
        yield run
