"""A run with something done before every batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from fxtui.config import RunConfig
from fxtui.engine.commands import Control
from fxtui.engine.training.start import Training
from tests.engine.costs.watching import Between, Watched, weigh
from tests.engine.runs import Outcome, carry_out


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Run a configuration with something done before every batch but the first; it says if the boundary moved."""

    def run(config: RunConfig, between: Between) -> tuple[Outcome, Training]:
        seen: list[Training] = []
        obey = Control.obey

        def asked(self: Control) -> bool:
            training = self.training
            assert training is not None
            if not seen:
                training.parts.optimization.optimizer.register_step_pre_hook(lambda *_: weigh(training))
            seen.append(training)
            moved = between(training, training.parts.progress.step) if training.parts.progress.step else False
            return obey(self) or moved

        with monkeypatch.context() as patch:
            patch.setattr(Control, "obey", asked)
            outcome = carry_out(config, tmp_path)
        assert outcome.state.phase == "finished"
        return outcome, seen[-1]

    return run
