"""What runs leave behind in a process that goes on."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from fxtui.config import bundled_config, load_config
from fxtui.engine import work
from tests.engine.runs import carry_out


def test_a_run_that_has_ended_leaves_no_model_and_garbage_is_collected_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, models = work.load_for, list[weakref.ref[nn.Module]]()

    def remember(*arguments: Any, **options: Any) -> Any:
        loaded = load(*arguments, **options)
        models.append(weakref.ref(loaded.module))
        return loaded

    monkeypatch.setattr(work, "load_for", remember)
    config = load_config(bundled_config("demo"), ["device=cpu", "data.limit=60", "train.epochs=1"])
    # As in a new process, where the first run makes what is left out of collections.
    gc.unfreeze()
    for name in ("first", "second"):
        carry_out(config, tmp_path / name)
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.collect()
    assert [model() for model in models] == [None, None]
