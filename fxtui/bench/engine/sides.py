"""The sides of the extraction bench: each computes the same features [n, F] of the same images in its own way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.bench.engine.loader_loop import JpegFiles, MemoryImages, loader_features, make_loader
from fxtui.bench.engine.plain import all_pixels
from fxtui.bench.engine.start import start_of
from fxtui.bench.surroundings import scratch
from fxtui.config import Precision, RunConfig
from fxtui.engine.assemble import build_freezing
from fxtui.engine.devices import resolve_device, synchronize
from fxtui.engine.features.bank import FeatureBank
from fxtui.engine.features.extraction import ExtractionSettings
from fxtui.engine.features.prefix import accelerate
from fxtui.engine.frontier.cut import cut_model
from fxtui.machine.cpu import cpu_count


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over all images: its seconds, and the features [n, F] in row order."""

    seconds: float
    features: Tensor


Side = Callable[[], Pass]


class Sides:
    """A network and images, in the forms that the sides start from.

    ``files`` are the images' paths in the order of the source; none: the images are in memory.

    Raises:
        ConfigError: the configuration cannot be run.
    """

    def __init__(self, config: RunConfig, files: Sequence[Path]) -> None:
        torch.set_num_threads(cpu_count())
        self._config = config
        self._device = resolve_device(config.device)
        start = start_of(config)
        build_freezing(start.loaded, config)
        self._images = start.images
        self._files = files
        self._pixels = all_pixels(start.images, torch.device("cpu"))
        self._head = start.loaded.head
        self._model = start.loaded.module.to(self._device)
        self._backbone = start_of(config).loaded.module.to(self._device).eval()
        self._backbone.set_submodule(self._head, nn.Identity())

    def loader(self, workers: int) -> Side:
        """The plain loop, in fp32."""
        preprocessing = self._images.preprocessing
        dataset = JpegFiles(self._files, preprocessing) if self._files else MemoryImages(self._pixels)
        loader = make_loader(dataset, self._config.data.batch_size, workers, self._device)
        return lambda: self._timed(lambda: loader_features(loader, self._backbone, self._device))

    def bank(self, precision: Precision) -> Side:
        """fxtui: from asking for the features to having them, the cache written; always with an empty cache."""

        def run() -> Pass:
            with scratch():
                settings = replace(ExtractionSettings.of(self._config, self._images), precision=precision)
                bank = FeatureBank(self._model, self._images, self._device, settings, lambda _: None, lambda: None)
                cut = cut_model(self._model, self._head, bank.example())
                started = time.perf_counter()
                feed = bank.feed(cut)
                synchronize(self._device)
                seconds = time.perf_counter() - started
                (batch,) = feed.batches([np.arange(len(self._images))])
                return Pass(seconds, batch.tensors[0])

        return run

    def bare(self, precision: Precision) -> Side:
        """Nothing but fxtui's form of the network, on images that are on the device already."""
        images = self._pixels.to(self._device)
        cut = cut_model(self._model, self._head, images[:4])
        prefix, _, _ = accelerate(cut.prefix, precision, self._device, (images[:4],))
        ready = torch.split(images, self._config.data.batch_size)
        return lambda: self._timed(lambda: torch.cat([prefix(batch)[0] for batch in ready]))

    def _timed(self, features: Callable[[], Tensor]) -> Pass:
        started = time.perf_counter()
        found = features()
        synchronize(self._device)
        return Pass(time.perf_counter() - started, found)


def least_similarity(a: Tensor, b: Tensor) -> float:
    """The smallest cosine similarity between rows of the same number in two tensors [n, F]."""
    return float(F.cosine_similarity(a.double().cpu(), b.double().cpu(), dim=1).min())
