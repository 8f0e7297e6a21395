"""Sessions that are ready to start: of a new run, or of one that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fxtui.cli.configuration import announce_code, check_without_torch
from fxtui.config import ConfigError, RunConfig, load_config
from fxtui.protocol.commands import AnyCommand, SetEpochs, SetLr
from fxtui.protocol.events import Event
from fxtui.run.session.link import EngineLink
from fxtui.run.session.local import LocalSession
from fxtui.run.session.session import AfterEngine, Engine
from fxtui.run.store import RunDirectory, RunStore
from fxtui.text import numbers as fmt

if TYPE_CHECKING:
    from fxtui.engine.data.sources.source import ImageSource

# What may be another when a run goes on, because it can be changed while it trains.
_CHANGEABLE = ("train.epochs", "train.lr")


def new_session(config: RunConfig, runs: Path) -> LocalSession:
    """A session for a new run below ``runs``, not yet started.

    Raises:
        ConfigError: the configuration is wrong, or the directory cannot be written.
    """
    source = check_without_torch(config)
    announce_code(config)
    run = RunStore(runs).create(config)
    return LocalSession(run, _engine(config, source), _after_the_run(run, source))


def resumed_session(reference: str, overrides: list[str], runs: Path, *, watched: bool) -> LocalSession:
    """A session that goes on from the last checkpoint of a run, not yet started.

    ``watched``: one that has nothing left to do holds, so that it can be given more.

    Raises:
        ConfigError: there is no such run, it has no checkpoint or nothing left to do, or a setting cannot change.
        RunLockedError: another process is writing to the run.
    """
    run = RunStore(runs).find(reference)
    for key in (override.partition("=")[0].strip() for override in overrides):
        if key not in _CHANGEABLE:
            raise ConfigError(
                f"--set {key}: a run that goes on keeps its settings, but for {' and '.join(_CHANGEABLE)}"
            )
    config = run.load_config()
    wanted = load_config(run.config, overrides).train
    state = run.load_state()
    done = len(state.epochs)
    if not run.has_checkpoint:
        raise ConfigError(f"RUN {run.name}: has no checkpoint yet; start it anew with fxtui train {run.config}")
    if not watched and state.finished and state.finished.status == "finished" and wanted.epochs <= done:
        raise ConfigError(
            f"RUN {run.name}: has finished its {fmt.plural(done, 'epoch')}; "
            f"give it more with --set train.epochs={done + 5}"
        )
    if wanted.epochs != config.train.epochs and wanted.epochs < done:
        raise ConfigError(f"train.epochs = {wanted.epochs}: RUN {run.name} has done {done} already; expected more")
    source = check_without_torch(config)
    announce_code(config)
    session = LocalSession(run, _engine(config, source, resume=True), _after_the_run(run, source))
    for override in overrides:
        key = override.partition("=")[0].strip()
        session.send(SetEpochs(epochs=wanted.epochs) if key == "train.epochs" else SetLr(lr=wanted.lr))
    return session


def _engine(config: RunConfig, source: ImageSource | None, *, resume: bool = False) -> Engine:
    def engine(link: EngineLink) -> None:
        from fxtui.engine.job import run_job

        run_job(config, link, source, resume=resume)

    return engine


def _after_the_run(run: RunDirectory, source: ImageSource | None) -> AfterEngine:
    made: list[AfterEngine] = []

    def answer(command: AnyCommand) -> list[Event]:
        # Imported with the first question: it loads torch.
        from fxtui.engine.predicting.after_the_run import AfterTheRun

        if not made:
            made.append(AfterTheRun(run, source))
        return made[0](command)

    return answer
