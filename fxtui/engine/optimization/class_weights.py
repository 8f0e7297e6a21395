"""Weights of the loss by class."""

from __future__ import annotations

import torch
from torch import Tensor


def balanced_weights(labels: Tensor, classes: int) -> Tensor:
    """Weights [classes] inversely proportional to how often a class occurs, 1 on average over the images.

    Source: scikit-learn's ``class_weight="balanced"``, after King & Zeng 2001.
    """
    counts = torch.bincount(labels, minlength=classes).float()
    return len(labels) / (classes * counts.clamp(min=1))
