"""Whole runs for tests: a configuration in, the events of the finished run out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fxtui.config import RunConfig, parse_config
from fxtui.engine.job import run_job
from fxtui.protocol.commands import AnyCommand
from fxtui.protocol.events import Event, RunFinished
from fxtui.run.session.local import LocalSession
from fxtui.run.state import RunState, fold
from fxtui.run.store import RunDirectory, RunStore

T = TypeVar("T", bound=Event)

TINY: dict[str, Any] = {
    "name": "tiny",
    "device": "cpu",
    "data": {"source": "digits", "limit": 150, "image_size": 32, "batch_size": 32},
    "model": {"backbone": "tests.engine.models:tiny_resnet", "weights": "none"},
    "train": {"epochs": 3, "precision": "fp32", "batch_size": 16, "backbone_lr_scale": 1.0},
}


def tiny_config(*overrides: str) -> RunConfig:
    """A run of a few seconds: 150 digits at 32 pixels and a residual network of 20,000 parameters."""
    tree = {key: dict(value) if isinstance(value, dict) else value for key, value in TINY.items()}
    return parse_config(tree, list(overrides))


class Outcome:
    """A run that has ended."""

    def __init__(self, run: RunDirectory, events: list[Event]) -> None:
        self.run = run
        self.events = events
        self.state: RunState = fold(events)

    def of(self, kind: type[T]) -> list[T]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


def carry_out(config: RunConfig, folder: Path, react: Callable[[Event], AnyCommand | None] = lambda _: None) -> Outcome:
    """Run a configuration to its end; ``react`` sees every event as it comes and may answer with a command."""
    return _follow(LocalSession(RunStore(folder).create(config), lambda link: run_job(config, link)), react)


def go_on(run: RunDirectory, react: Callable[[Event], AnyCommand | None] = lambda _: None) -> Outcome:
    """Continue a run from its last checkpoint to its end; the outcome holds the new events, its state all of them."""
    config = run.load_config()
    outcome = _follow(LocalSession(run, lambda link: run_job(config, link, resume=True)), react)
    outcome.state = run.load_state()
    return outcome


def _follow(session: LocalSession, react: Callable[[Event], AnyCommand | None]) -> Outcome:
    session.start()
    events: list[Event] = []
    while True:
        event = session.wait_event(timeout=120)
        assert event is not None, "the run says nothing more"
        events.append(event)
        if (command := react(event)) is not None:
            session.send(command)
        if isinstance(event, RunFinished):
            break
    session.join()
    return Outcome(session.run, events)
