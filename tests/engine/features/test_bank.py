"""The feature bank: caches found again, derived, dropped when stale or too many; memory that runs out."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fxtui.engine.data.batch_order import plain_batches
from fxtui.engine.features.bank import FeatureBank
from fxtui.engine.features.disk_cache import CacheFiles
from fxtui.engine.features.extraction import ExtractionSettings
from fxtui.engine.features.feeds import CachedFeed, Feed
from fxtui.engine.features.in_parts import InParts
from fxtui.engine.freezing.moving_names import moving_names
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.frontier.cut import cut_model
from fxtui.protocol import events as ev
from tests.engine.plain_loop import rows_of
from tests.engine.runs import carry_out, tiny_config
from tests.engine.training.test_training import losses

STAGES = ("conv1", "layer1", "layer2", "layer3")
# Bytes of the tiny network's caches, 150 images each: behind layer3, layer2 and layer1.
AT_HEAD, AT_LAYER3, AT_LAYER2 = 150 * 16 * 4, 150 * 16 * 8 * 8 * 4, 150 * 8 * 16 * 16 * 4


class Bench:
    """A model with a bank of its own, as a run has them."""

    def __init__(self, *overrides: str) -> None:
        self.config = tiny_config(*overrides)
        self.images, self.model = rows_of(self.config)
        self.freezing = Freezing(self.model, "fc", STAGES)
        self.freezing.apply()
        self.events: list[ev.Event] = []
        settings = ExtractionSettings.of(self.config, self.images)
        self.bank = FeatureBank(
            self.model, self.images, torch.device("cpu"), settings, self.events.append, lambda: None
        )

    def feed(self, *paths: str) -> Feed:
        """The feed while these layers train, after what trained before has moved or not."""
        moved = moving_names(self.model)
        self.freezing.trainable = self.freezing.resolve(paths)
        self.freezing.apply()
        self.bank.weights_changed(moved)
        return self.bank.feed(cut_model(self.model, "fc", self.bank.example()))

    def train(self) -> None:
        """Move what trains."""
        with torch.no_grad():
            for parameter in self.model.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.01)

    @property
    def last(self) -> ev.CacheReady:
        """What was said of the last feed."""
        return [event for event in self.events if isinstance(event, ev.CacheReady)][-1]


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found on disk: what is found was in memory."""
    monkeypatch.setattr(CacheFiles, "find", lambda *_: None)


def tensors_of(feed: Feed, rows: np.ndarray) -> list[Tensor]:
    return [tensor for batch in feed.batches(plain_batches(rows, 32)) for tensor in batch.tensors]


@pytest.mark.usefixtures("no_files")
def test_a_boundary_that_comes_back_finds_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.feed()
    unfrozen = bench.feed("layer3")
    assert bench.last.images_read
    monkeypatch.setattr(type(bench.images.source), "read", lambda *_: pytest.fail("an image was read"))
    bench.train()
    bench.feed()
    assert not bench.last.reused
    bench.train()
    bench.events.clear()
    assert bench.feed("layer3") is unfrozen
    assert bench.last.reused
    assert not any(isinstance(event, ev.ExtractionProgress) for event in bench.events)


@pytest.mark.usefixtures("no_files")
def test_refreezing_everything_starts_from_the_cached_images(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.feed("conv1", "layer1", "layer2", "layer3")
    assert bench.last.frontier == ("input",)
    monkeypatch.setattr(type(bench.images.source), "read", lambda *_: pytest.fail("an image was read"))
    bench.train()
    found = tensors_of(bench.feed(), np.arange(150))
    assert (bench.last.reused, bench.last.images_read) == (False, False)
    monkeypatch.undo()
    expected = tensors_of(_afresh(bench), np.arange(150))
    assert all(map(torch.equal, found, expected))


def _afresh(bench: Bench) -> Feed:
    """The present model's features, computed from the images."""
    other = Bench()
    other.model.load_state_dict(bench.model.state_dict())
    return other.feed()


@pytest.mark.usefixtures("no_files")
def test_a_cache_from_before_its_layers_moved_is_dropped_at_once() -> None:
    bench = Bench()
    stale = weakref.ref(bench.feed())
    bench.feed("layer3")
    gc.collect()
    assert stale() is not None
    bench.train()
    bench.bank.weights_changed(moving_names(bench.model))
    gc.collect()
    assert stale() is None


@pytest.mark.usefixtures("no_files")
def test_beyond_the_budget_the_cache_unused_for_longest_goes() -> None:
    bench = Bench(f"cache.max_gb={(AT_LAYER2 + AT_LAYER3 + AT_HEAD - 1) / 1e9}")
    head = weakref.ref(bench.feed())
    middle = weakref.ref(bench.feed("layer3"))
    assert bench.last.bytes == AT_LAYER3
    bench.feed()
    assert bench.last.reused
    bench.feed("layer2", "layer3")
    gc.collect()
    assert (bench.last.where, bench.last.bytes) == ("host", AT_LAYER2)
    assert head() is not None
    assert middle() is None


@pytest.mark.usefixtures("no_files")
def test_the_cache_in_use_stays_while_another_is_computed() -> None:
    bench = Bench(f"cache.max_gb={AT_LAYER2 / 1e9}")
    middle = weakref.ref(bench.feed("layer3"))
    head = weakref.ref(bench.feed())
    bench.feed("layer2", "layer3")
    gc.collect()
    assert (bench.last.where, bench.last.bytes) == ("host", AT_LAYER2)
    assert head() is not None
    assert middle() is None


@pytest.mark.usefixtures("no_files")
def test_the_cache_that_another_is_computed_from_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(f"cache.max_gb={(AT_LAYER2 + AT_HEAD) / 1e9}")
    deep = weakref.ref(bench.feed("layer2", "layer3"))
    bench.feed()
    monkeypatch.setattr(type(bench.images.source), "read", lambda *_: pytest.fail("an image was read"))
    bench.feed("layer3")
    gc.collect()
    assert (bench.last.where, bench.last.images_read) == ("host", False)
    assert deep() is not None


@pytest.mark.usefixtures("no_files")
def test_finding_a_cache_counts_as_using_it() -> None:
    bench = Bench(f"cache.max_gb={(AT_LAYER2 + AT_LAYER3 + AT_HEAD) / 1e9}")
    first = weakref.ref(bench.feed("layer3"))
    second = weakref.ref(bench.feed("layer3.1"))
    assert bench.last.bytes == AT_LAYER3
    bench.feed("layer3")
    bench.feed()
    bench.feed("layer2", "layer3")
    gc.collect()
    assert first() is not None
    assert second() is None


def test_a_cache_larger_than_allowed_is_none() -> None:
    bench = Bench(f"cache.max_gb={(AT_HEAD - 1) / 1e9}")
    bench.feed()
    assert bench.last.where == "none"
    assert "fit nowhere" in bench.last.note


def test_files_beyond_the_budget_go_oldest_first(tmp_path: Path) -> None:
    files = CacheFiles(tmp_path, max_bytes=10_000)
    for age, key in enumerate(("old", "older", "oldest")):
        files.store(key, [torch.full((3000,), age, dtype=torch.uint8)], {})
        os.utime(tmp_path / key, (1e9 - age, 1e9 - age))
    assert files.find("oldest") is not None
    files.store("new", [torch.zeros(3000, dtype=torch.uint8)], {7: "torn"})
    assert files.find("older") is None
    found = {key: files.find(key) for key in ("old", "oldest", "new")}
    assert {key: int(cache[0][0].read()[0]) for key, cache in found.items() if cache} == {
        "old": 0,
        "oldest": 2,
        "new": 0,
    }
    assert found["new"] is not None
    assert found["new"][1] == {7: "torn"}


def test_a_cache_has_the_checksum_of_its_contents() -> None:
    bench = Bench()
    first = bench.feed().checksum
    assert first
    assert Bench().feed().checksum == first
    assert Bench("data.augment=light").feed().checksum not in ("", first)
    other = Bench()
    with torch.no_grad():
        other.model.conv1.weight[0, 0, 0, 0] += 1e-3  # type: ignore[index,union-attr]
    assert other.feed().checksum not in ("", first)


@pytest.mark.parametrize("augment", ["none", "light"])
def test_nothing_cached_has_no_checksum(augment: str) -> None:
    assert Bench("cache.enabled=false", f"data.augment={augment}").feed().checksum == ""


@pytest.mark.parametrize("count", [1, 15, 1023, 1024, 5000])
def test_one_flipped_bit_changes_the_checksum(count: int) -> None:
    def checksum(data: Tensor) -> str:
        return CachedFeed((), (data,), np.arange(1), torch.zeros(1), torch.device("cpu")).checksum

    data = torch.rand(count, generator=torch.Generator().manual_seed(0)).bfloat16()
    seen = {checksum(data), checksum(data[:, None]), checksum(data.half())}
    assert checksum(data.clone()) in seen
    for at in {0, count // 2, count - 1}:
        flipped = data.clone()
        flipped.view(torch.int16)[at] ^= 1
        seen.add(checksum(flipped))
    assert len(seen) == 3 + len({0, count // 2, count - 1})


def test_views_do_not_depend_on_where_in_the_epoch_one_begins() -> None:
    feed = Bench("data.augment=strong").feed()
    rows = plain_batches(np.arange(0, 60, 2), 8)
    whole = [batch.tensors[0] for batch in feed.batches(rows, 4)]
    rest = [batch.tensors[0] for batch in feed.batches(rows[2:], 4)]
    other = [batch.tensors[0] for batch in feed.batches(rows, 5)]
    assert all(map(torch.equal, whole[2:], rest))
    assert not any(map(torch.equal, whole, other))


GREEDY = "model.backbone=tests.engine.models:greedy"


@pytest.mark.parametrize("cache", ["cache.enabled=true", "cache.enabled=false"])
def test_out_of_memory_in_frozen_layers_halves_the_batch_and_says_so(tmp_path: Path, cache: str) -> None:
    greedy, plenty = (carry_out(tiny_config(cache, *more), tmp_path) for more in ([GREEDY], []))
    assert greedy.state.phase == "finished"
    warnings = [event.text for event in greedy.of(ev.RunWarning)]
    assert warnings == ["out of memory on cpu: frozen layers take 4 images at a time from here on"]
    assert losses(greedy)[0] == pytest.approx(losses(plenty)[0], abs=1e-5)
    assert losses(greedy)[1] == pytest.approx(losses(plenty)[1], abs=1e-5)


def test_parts_of_several_inputs_end_between_images() -> None:
    """Four windows an image in one input, one entry in the other; each part sees whole images."""
    sizes: list[tuple[int, int]] = []

    def prefix(windows: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        sizes.append((len(windows), len(images)))
        if len(images) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return windows + 1, windows.unflatten(0, (-1, 4)).sum(1) + images

    said: list[int] = []
    apply = InParts(prefix, said.append, rows=(4, 1))
    windows, images = torch.arange(40.0), torch.arange(10.0)
    for _ in range(2):
        found = apply(windows, images)
        assert torch.equal(found[0], windows + 1)
        assert torch.equal(found[1], windows.view(10, 4).sum(1) + images)
    assert said == [3]
    assert sizes == [(40, 10), (20, 5), *[(12, 3), (12, 3), (12, 3), (4, 1)] * 2]


def test_one_image_that_does_not_fit_is_an_error() -> None:
    def never(_: Tensor) -> tuple[Tensor, ...]:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        InParts(never, lambda _: None)(torch.zeros(8, 3))
