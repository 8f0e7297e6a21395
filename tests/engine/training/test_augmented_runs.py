"""Runs on augmented images: equal to a plain loop over the same views, repeatable, validation from a cache."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from fxtui.config import RunConfig
from fxtui.engine.data.augmentation.views import Augmentation
from fxtui.engine.data.batch_order import epoch_batches
from fxtui.engine.data.normalise import Normaliser
from fxtui.engine.data.sources.digits import Digits
from fxtui.machine.cpu import cpu_count
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from tests.engine.data.sources.messy import messy_folder
from tests.engine.plain_loop import pixels, rows_of
from tests.engine.runs import Outcome, carry_out, tiny_config
from tests.engine.training.test_training import losses

KINDS = ("light", "strong")


def plain_losses(config: RunConfig, trainable: tuple[str, ...]) -> tuple[list[float], list[float]]:
    """The loop one would have written, with the same views: losses by epoch, train and validation."""
    torch.set_num_threads(cpu_count())
    images, model = rows_of(config)
    augment = Augmentation.of(config.data.augment, images.preprocessing, images.source.presized, config.seed)
    assert augment is not None
    normalise = Normaliser(images.preprocessing, torch.device("cpu"))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter.requires_grad or name.startswith(trainable or ("\0",)))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], config.train.lr, weight_decay=0)
    labels = torch.from_numpy(images.labels)
    torch.manual_seed(config.seed)
    train_losses, val_losses = [], []
    for epoch in range(config.train.epochs):
        model.train()
        for module in model.modules():
            parameters = list(module.parameters())
            if parameters and not any(p.requires_grad for p in parameters):
                module.eval()
        total = 0.0
        for rows in epoch_batches(images.train, config.seed, epoch, config.train.batch_size):
            numbers = images.indices[rows]
            views = np.stack([augment.view(images.source.read(int(i)), int(i), epoch) for i in numbers])
            loss = F.cross_entropy(model(normalise(views)), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        train_losses.append(total / len(images.train))
        model.eval()
        with torch.no_grad():
            val_losses.append(F.cross_entropy(model(pixels(images, images.val)), labels[images.val]).item())
    return train_losses, val_losses


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trainable", ["", "layer3", "layer1,layer2,layer3,conv1,bn1"])
def test_an_augmented_run_equals_a_plain_loop(tmp_path: Path, kind: str, trainable: str) -> None:
    config = tiny_config(f"data.augment={kind}", f"freeze.trainable={trainable}")
    outcome = carry_out(config, tmp_path)
    assert outcome.state.phase == "finished"
    train, val = plain_losses(config, tuple(filter(None, trainable.split(","))))
    assert losses(outcome)[0] == pytest.approx(train, abs=1e-5)
    assert losses(outcome)[1] == pytest.approx(val, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_augmented_run_twice_gives_the_same_numbers(tmp_path: Path, kind: str) -> None:
    first, second = (losses(carry_out(tiny_config(f"data.augment={kind}"), tmp_path)) for _ in range(2))
    assert first == second


def test_augmentation_changes_what_is_trained_on_and_not_what_is_validated(tmp_path: Path) -> None:
    outcomes = [carry_out(tiny_config(f"data.augment={kind}", "train.epochs=1"), tmp_path) for kind in ("none", *KINDS)]
    assert len({losses(outcome)[0][0] for outcome in outcomes}) == 3
    # A head that has learnt nothing yet validates alike, whatever it will be trained on.
    still = [
        carry_out(tiny_config(f"data.augment={kind}", "train.epochs=1", "train.lr=1e-30"), tmp_path)
        for kind in ("none", *KINDS)
    ]
    assert losses(still[1])[1] == losses(still[2])[1] == pytest.approx(losses(still[0])[1], abs=1e-6)


def reads_of(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """Counts from now on how often each digit is read."""
    counts: Counter[int] = Counter()
    read = Digits.read

    def counted(self: Digits, index: int, target: int = 0) -> Image.Image:
        counts[index] += 1
        return read(self, index, target)

    monkeypatch.setattr(Digits, "read", counted)
    return counts


def by_part(counts: Counter[int], config: RunConfig) -> tuple[set[int], set[int]]:
    """How often training images and validation images were read, without the first: an example is decoded of them."""
    images, _ = rows_of(config)
    rows = np.arange(16, len(images))
    train, val = (images.indices[np.intersect1d(rows, part)] for part in (images.train, images.val))
    return {counts[int(i)] for i in train}, {counts[int(i)] for i in val}


def test_validation_is_cached_and_training_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config("data.augment=light")
    counts = reads_of(monkeypatch)
    outcome = carry_out(config, tmp_path)
    assert by_part(counts, config) == ({3}, {1})
    (ready,) = outcome.of(ev.CacheReady)
    assert (ready.where, ready.shape, ready.bytes) == ("host", ((30, 16),), 30 * 16 * 4)
    assert ready.note == "augment = light: frozen layers run in every training batch; validation is cached"
    counts.clear()
    again = carry_out(config, tmp_path)
    assert by_part(counts, config) == ({3}, {0})
    assert [event.reused for event in again.of(ev.CacheReady)] == [True]
    assert losses(again) == losses(outcome)


def test_without_a_cache_validation_is_computed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_config("data.augment=strong", "cache.enabled=false")
    counts = reads_of(monkeypatch)
    outcome = carry_out(config, tmp_path)
    assert by_part(counts, config) == ({3}, {3})
    (ready,) = outcome.of(ev.CacheReady)
    assert (ready.where, ready.bytes) == ("none", 0)
    assert ready.note == "augment = strong: frozen layers run in every batch; the cache is off"
    cached = carry_out(tiny_config("data.augment=strong"), tmp_path)
    assert losses(outcome)[0] == losses(cached)[0]
    assert losses(outcome)[1] == pytest.approx(losses(cached)[1], abs=1e-5)


def test_layers_thaw_while_images_are_augmented(tmp_path: Path) -> None:
    waiting: list[cmd.AnyCommand] = [cmd.UnfreezeAll(), cmd.FreezeAll()]

    def react(event: ev.Event) -> cmd.AnyCommand | None:
        return waiting.pop(0) if isinstance(event, ev.EpochEnd) and waiting else None

    outcome: Outcome = carry_out(tiny_config("data.augment=light", "train.epochs=12"), tmp_path, react)
    assert outcome.state.phase == "finished"
    assert [event.shape for event in outcome.of(ev.CacheReady)] == [((30, 16),), ((30, 3, 32, 32),), ((30, 16),)]
    assert [event.note.split(";")[0] for event in outcome.of(ev.CacheReady)] == [
        "augment = light: frozen layers run in every training batch",
        "augment = light: images are read in every training batch",
        "augment = light: frozen layers run in every training batch",
    ]
    # The frozen network's validation features come from the cached images.
    assert [event.images_read for event in outcome.of(ev.CacheReady)] == [True, True, False]


@pytest.mark.parametrize("kind", KINDS)
def test_broken_images_are_left_out_of_augmented_training(tmp_path: Path, kind: str) -> None:
    (tmp_path / "images").mkdir()
    folder = messy_folder(tmp_path / "images")
    config = tiny_config(
        f"data.source={folder}", f"data.augment={kind}", "data.limit=0", "data.val_fraction=0.2", "train.batch_size=4"
    )
    outcome = carry_out(config, tmp_path / "runs")
    assert outcome.state.phase == "finished"
    assert len(outcome.of(ev.EpochEnd)) == 3
    skipped = {file.path for event in outcome.of(ev.ImagesSkipped) for file in event.skipped}
    assert skipped == {"cats/torn.jpg", "cats/text.png"}
    last = outcome.of(ev.ImagesSkipped)[-1]
    (start,) = outcome.of(ev.DataReady)
    assert last.train + last.val == start.train + start.val - 2
    assert outcome.of(ev.EpochEnd)[0].train_loss != outcome.of(ev.EpochEnd)[1].train_loss
