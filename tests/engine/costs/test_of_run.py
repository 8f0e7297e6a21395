"""A preview says what the run itself finds out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fxtui.config import ConfigError, RunConfig, parse_config
from fxtui.engine.costs.of_run import preview
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from tests.engine.runs import carry_out


def _config(*overrides: str) -> RunConfig:
    tree = {
        "device": "cpu",
        "data": {"source": "digits", "limit": 60, "image_size": 32},
        "model": {"backbone": "resnet18", "weights": "none"},
        "train": {"epochs": 2, "precision": "fp32", "batch_size": 16},
    }
    return parse_config(tree, list(overrides))


@pytest.mark.parametrize("trainable", ["[]", "layer4"])
def test_the_figures_are_those_of_the_run(tmp_path: Path, trainable: str) -> None:
    config = _config(f"freeze.trainable={trainable}", "train.optimizer=sgd")

    def ask(event: ev.Event) -> cmd.Estimate | None:
        # Answered between the first two batches.
        wanted = isinstance(event, ev.ModelReady)
        return cmd.Estimate(change=cmd.UnfreezeNext()) if wanted else None

    found, ran = preview(config), carry_out(config, tmp_path, ask)
    (data,), (model,), (cache,) = ran.of(ev.DataReady), ran.of(ev.ModelReady), ran.of(ev.CacheReady)[:1]
    assert (found.train, found.val, found.classes) == (data.train, data.val, len(data.classes))
    assert (found.parameters, found.features, found.stages) == (model.parameters, model.features, model.stages)
    assert found.cache_bytes == cache.bytes
    shapes = {stage.stage: stage.shape_out for stage in ran.of(ev.PipelineStage)}
    assert shapes["features"] == (found.images, *found.frontier[0])
    assert shapes["preprocess"] == (found.images, 3, found.size, found.size)
    (cost,) = (event.now for event in ran.of(ev.CostEstimated))
    assert found.trainable_parameters == cost.trainable_parameters
    assert (found.optimizer_bytes, found.gradient_bytes) == (cost.optimizer_bytes, cost.gradient_bytes)
    assert {event.batches for event in ran.of(ev.BatchEnd)} == {found.epoch_batches}


def test_digits_are_shown_at_the_weights_own_size_where_none_is_configured(tmp_path: Path) -> None:
    config = _config("data.image_size=0", "data.limit=30", "train.epochs=1")
    found, ran = preview(config), carry_out(config, tmp_path)
    (preprocess,) = (stage for stage in ran.of(ev.PipelineStage) if stage.stage == "preprocess")
    assert preprocess.shape_out == (30, 3, 224, 224)
    assert found.size == 224
    (ended,) = ran.of(ev.RunFinished)
    assert ended.status == "finished"


@pytest.mark.parametrize("trainable", ["[]", "layer4"])
def test_times_are_estimated_where_features_are_cached(trainable: str) -> None:
    threads = torch.get_num_threads()
    found = preview(_config(f"freeze.trainable={trainable}"))
    assert found.epoch_seconds is not None
    assert found.extract_seconds is not None
    assert found.epoch_seconds > 0
    assert found.extract_seconds > 0
    assert torch.get_num_threads() == threads
    for override in ("data.augment=light", "cache.enabled=false"):
        without = preview(_config(f"freeze.trainable={trainable}", override))
        assert (without.epoch_seconds, without.extract_seconds) == (None, None)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model.backbone=resnet81", "resnet18"),
        ("freeze.trainable=layer9", "freeze.trainable"),
        ("device=cuda:9", "cpu"),
    ],
)
def test_what_the_run_would_refuse_is_refused(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        preview(_config(override))
