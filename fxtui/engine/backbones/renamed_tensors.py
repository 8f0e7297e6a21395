"""Older names of tensors, which published files still use, as the names of today's modules.

torchvision renames while it loads (``densenet._load_state_dict``, ``vision_transformer.MLPBlock``); its own files for
these families hold the older names.
"""

from __future__ import annotations

import re

from torch import Tensor

from fxtui.engine.backbones import lite0
from fxtui.engine.backbones.names import LITE0

_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
_VIT = re.compile(r"(\.mlp\.)linear_([12])\.")


def current_names(backbone: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under the names that the backbone gives them, whatever prefix is in front; others as they are."""
    if backbone.startswith("densenet"):
        return {_DENSENET.sub(r"\1\2", name): tensor for name, tensor in tensors.items()}
    if backbone.startswith("vit_"):
        layers = {"1": "0", "2": "3"}
        return {
            _VIT.sub(lambda found: f"{found[1]}{layers[found[2]]}.", name): tensor for name, tensor in tensors.items()
        }
    if backbone == LITE0:
        return lite0.current_names(tensors)
    return tensors
