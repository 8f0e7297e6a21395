"""Fingerprints: what is on a user's disk is found again, and what depends on anything else is not."""

from __future__ import annotations

import numpy as np
import torch

from fxtui.engine.data.preprocess import Preprocessing
from fxtui.engine.features.cache_fingerprint import Fingerprints, frontier_text
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.frontier.cut import cut_model
from fxtui.engine.frontier.records import FrontierTensor
from tests.engine.plain_loop import pixels, rows_of
from tests.engine.runs import tiny_config

# Written by the first version that had caches; whatever changes it makes every cache on every disk useless.
_KNOWN = "6c71e8ea16fb11dac521ccfb9108aad720acbe69"


def test_a_cache_keeps_its_fingerprint_whatever_is_called_otherwise_here() -> None:
    config = tiny_config("model.backbone=tests.engine.models:untraceable")
    images, model = rows_of(config)
    Freezing(model, "fc", ()).apply()
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape).to(tensor.dtype) % 7)
    cut = cut_model(model, "fc", pixels(images, np.arange(4)))
    rows = np.arange(len(images))
    fingerprints = Fingerprints(model, images, rows, config.train.precision, config.data.batch_size)
    assert fingerprints.of(cut, torch.float32) == _KNOWN
    assert fingerprints.of(cut, torch.bfloat16) != _KNOWN
    fingerprints = Fingerprints(model, images, rows, config.train.precision, config.data.batch_size + 1)
    assert fingerprints.of(cut, torch.float32) != _KNOWN


def test_a_weight_that_moved_makes_another_cache_once_that_is_said() -> None:
    config = tiny_config("model.backbone=tests.engine.models:untraceable")
    images, model = rows_of(config)
    Freezing(model, "fc", ()).apply()
    cut = cut_model(model, "fc", pixels(images, np.arange(4)))
    fingerprints = Fingerprints(model, images, np.arange(len(images)), "fp32", 64)
    before = fingerprints.of(cut, torch.float32)
    name, tensor = next((n, t) for n, t in model.named_parameters() if not n.startswith("fc."))
    with torch.no_grad():
        tensor.view(-1)[0] += 1
    fingerprints.forget([name])
    assert fingerprints.of(cut, torch.float32) != before


def test_the_texts_in_a_fingerprint_are_what_they_were() -> None:
    one = FrontierTensor("layer3", 1, (16, 8, 8), (0, 1, 2, 3))
    assert frontier_text((one,)) == ("(FrontierTensor(name='layer3', rows=1, shape=(16, 8, 8), order=(0, 1, 2, 3)),)")
    two = FrontierTensor("x", 4, (3,), (0, 1))
    assert frontier_text((one, two)).endswith(", FrontierTensor(name='x', rows=4, shape=(3,), order=(0, 1)))")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    assert Preprocessing(37, 32, mean, std).fingerprint() == (
        "Preprocessing(resize=37, crop=32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), "
        "interpolation='bilinear')"
    )
