"""Pixels in batches, decoded ahead."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from fxtui.config import DataConfig
from fxtui.engine.data.loader import PixelLoader
from fxtui.engine.data.sources.source import open_source
from tests.engine.data.sources.messy import messy_folder
from tests.engine.data.test_preprocess import IMAGENET


def test_batches_come_in_order_and_name_what_is_broken(tmp_path: Path) -> None:
    source = open_source(DataConfig(source=str(messy_folder(tmp_path))))
    groups = [np.arange(len(source))[::-1][i : i + 7] for i in range(0, len(source), 7)]
    batches = list(PixelLoader(source, IMAGENET.at_size(32)).batches(groups))
    assert [batch.indices.tolist() for batch in batches] == [group.tolist() for group in groups]
    broken = {source.image_name(int(b.indices[at])): why for b in batches for at, why in b.broken}
    assert set(broken) == {"cats/torn.jpg", "cats/text.png"}
    for batch in batches:
        for at, index in enumerate(batch.indices):
            if source.image_name(int(index)) not in broken:
                alone = IMAGENET.at_size(32).fit(source.read(int(index), IMAGENET.at_size(32).resize))
                assert np.array_equal(batch.pixels[at], alone)


def test_closing_early_leaves_no_thread() -> None:
    source = open_source(DataConfig(source="digits"))
    before = threading.active_count()
    batches = PixelLoader(source, IMAGENET.at_size(64), threads=2).batches([np.arange(8)] * 50)
    next(batches)
    batches.close()
    assert threading.active_count() == before
