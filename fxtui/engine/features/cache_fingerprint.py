"""Whether a cache is the one that is wanted: a digest of everything that its content depends on.

A cache computed before a frozen layer trained is stale: the layer's bytes are part of the digest, so it is never taken
for one computed after. What goes in is written out here, not taken from the names of classes: a class may be renamed
without losing every cache on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from fxtui.config import Precision
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.frontier.records import Cut, FrontierTensor


class Fingerprints:
    """Of caches of ``rows`` of the images, extracted in batches of one size and at one precision."""

    def __init__(
        self, model: nn.Module, images: ImageRows, rows: NDArray[np.int64], precision: Precision, batch_size: int
    ) -> None:
        self._model = model
        self._images = images
        self._rows = rows
        self._precision = precision
        self._batch_size = batch_size
        # Of the tensors that frozen layers hold, by name: computed once, until they may have moved.
        self._digests: dict[str, bytes] = {}

    def forget(self, names: Iterable[str]) -> None:
        """Say which parameters and buffers may have moved."""
        for name in names:
            self._digests.pop(name, None)

    def of(self, cut: Cut, dtype: torch.dtype) -> str:
        """Of the cache that a cut asks for, kept in this dtype."""
        images = self._images
        digest = hashlib.blake2b(digest_size=20)
        for part in (
            images.source.fingerprint(),
            images.preprocessing.fingerprint(),
            self._precision,
            str(dtype),
            str(self._batch_size),
            frontier_text(cut.tensors),
            str(cut.source.nodes if cut.source else ()),
            prefix_text(cut),
        ):
            digest.update(part.encode() + b"\0")
        digest.update(images.indices.tobytes() + self._rows.tobytes())
        if not cut.at_input:
            for name, tensor in sorted(self._frozen_tensors(cut)):
                if name not in self._digests:
                    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
                    self._digests[name] = hashlib.blake2b(raw, digest_size=16).digest()
                digest.update(name.encode() + self._digests[name])
        return digest.hexdigest()

    def _frozen_tensors(self, cut: Cut) -> list[tuple[str, Tensor]]:
        """What a prefix depends on, by name; where it was cut at the head without a graph, all but the head."""
        if isinstance(cut.prefix, fx.GraphModule):
            return list(cut.prefix.state_dict().items())
        head = cut.tensors[0].name + "."
        return [(name, tensor) for name, tensor in self._model.state_dict().items() if not name.startswith(head)]


def frontier_text(tensors: Sequence[FrontierTensor]) -> str:
    """The tensors of a frontier as caches on disk know them."""
    each = ", ".join(
        f"FrontierTensor(name={t.name!r}, rows={t.rows!r}, shape={t.shape!r}, order={t.order!r})" for t in tensors
    )
    return f"({each},)" if len(tensors) == 1 else f"({each})"


def prefix_text(cut: Cut) -> str:
    """What is computed up to the frontier, as caches on disk know it."""
    if isinstance(cut.prefix, fx.GraphModule):
        return str(cut.prefix.graph)
    return "_Images" if cut.at_input else "_UpToHead"
