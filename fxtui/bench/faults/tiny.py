"""A run of half a second, carried out while storage fails, and whether it was the run that it would have been."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from fxtui.config import RunConfig, parse_config
from fxtui.engine.checkpoints.files import load_newest
from fxtui.engine.job import run_job
from fxtui.protocol.events import Event, RunWarning
from fxtui.run.journal import read_journal
from fxtui.run.session.link import EngineLink
from fxtui.run.session.local import LocalSession
from fxtui.run.state import RunState, fold
from fxtui.run.store import RunDirectory, RunStore

_PATIENCE = 120.0

Losses = list[tuple[float, float]]


class _Tiny(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.stage = nn.Sequential(nn.Conv2d(width, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.dropout(self.pool(self.stage(self.stem(x))).flatten(1)))
        return logits


def network() -> nn.Module:
    """A stem, a stage with moving statistics, and a dropout before the head."""
    return _Tiny()


def tiny_config(*overrides: str) -> RunConfig:
    """Some digits, the head first, a stage from the seventh batch on."""
    tree = {
        "name": "faults",
        "device": "cpu",
        "data": {"source": "digits", "limit": 75, "image_size": 32, "batch_size": 32},
        "model": {"backbone": "fxtui.bench.faults.tiny:network", "weights": "none"},
        "train": {"epochs": 3, "precision": "fp32", "batch_size": 16},
        "schedule": [{"at": "step 7", "command": "unfreeze_next"}],
    }
    return parse_config(tree, list(overrides))


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that has ended, as it told whoever listened."""

    run: RunDirectory
    events: tuple[Event, ...]

    @property
    def state(self) -> RunState:
        """What was told, folded."""
        return fold(self.events)

    @property
    def losses(self) -> Losses:
        """Of every epoch, in training and in validation."""
        return losses_of(self.state)

    @property
    def warnings(self) -> list[str]:
        """What the user was warned of."""
        return [event.text for event in self.events if isinstance(event, RunWarning)]


def losses_of(state: RunState) -> Losses:
    """Of every epoch, in training and in validation."""
    return [(epoch.train_loss, epoch.val_loss) for epoch in state.epochs]


def carry_out(config: RunConfig, folder: Path, journal: Path | None = None) -> Outcome:
    """A new run from its beginning to its end. ``journal``: what stands in for its journal."""
    run = RunStore(folder).create(config)
    if journal is not None:
        run.journal.symlink_to(journal)
    return _follow(run, config, resume=False)


def go_on(run: RunDirectory) -> Outcome:
    """A run from its last checkpoint to its end; what it tells begins there."""
    return _follow(run, run.load_config(), resume=True)


def agree(one: Losses, other: Losses, tolerance: float = 0.0) -> bool:
    """Whether two runs had the same losses, to the bit unless there is a tolerance."""
    return len(one) == len(other) > 0 and all(
        a == b or (tolerance > 0 and math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance))
        for pair, with_it in zip(one, other, strict=True)
        for a, b in zip(pair, with_it, strict=True)
    )


def wrongs(outcome: Outcome, expected: Losses, tolerance: float = 0.0, most_warnings: int = 1) -> list[str]:
    """What there is to find fault with in a run whose storage failed; nothing where it survived."""
    found = []
    state = outcome.state
    if state.phase != "finished":
        found.append(f"the run {state.phase}: {state.reason}")
    if not agree(outcome.losses, expected, tolerance):
        found.append("its losses are others")
    if len(outcome.warnings) > most_warnings:
        found.append(f"{len(outcome.warnings)} warnings instead of {most_warnings}")
    numbers = [event.seq for event in outcome.events]
    if numbers != sorted(set(numbers)):
        found.append("its events are out of order")
    return found + _wrongs_on_disk(outcome.run)


def _wrongs_on_disk(run: RunDirectory) -> list[str]:
    found = []
    if run.journal.is_file():
        try:
            numbers = [event.seq for event in read_journal(run.journal)]
            if numbers != sorted(set(numbers)):
                found.append("its journal is out of order")
        except ValueError as error:
            found.append(str(error))
    if run.has_checkpoint:
        try:
            load_newest(run)
        except ValueError as error:
            found.append(str(error))
    return found


def _follow(run: RunDirectory, config: RunConfig, *, resume: bool) -> Outcome:
    def engine(link: EngineLink) -> None:
        run_job(config, link, resume=resume)

    session = LocalSession(run, engine)
    session.start()
    session.join(_PATIENCE)
    return Outcome(run, tuple(session.events()))
