"""Models with what other people's forwards do: timm's blocks, noise, caches of their own, two paths."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.engine.models import Block


def drop_path(x: Tensor, drop_prob: float, training: bool) -> Tensor:
    """Stochastic depth as timm writes it."""
    if drop_prob == 0.0 or not training:
        return x
    keep = 1 - drop_prob
    mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
    mask.div_(keep)
    return x * mask


class DropPath(nn.Module):
    """A module around it, as timm has it."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        return drop_path(x, self.drop_prob, self.training)


class TimmBlock(nn.Module):
    """A block with a mask argument, layer scale, and stochastic depth both as a module and as a call."""

    def __init__(self, width: int, rate: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.gamma = nn.Parameter(torch.ones(width))
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.drop_path = DropPath(rate)
        self.rate = rate

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        n, tokens, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, tokens, 3, 2, width // 2).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask, dropout_p=self.rate if self.training else 0.0)
        x = x + self.drop_path(self.proj(y.transpose(1, 2).reshape(n, tokens, width)) * self.gamma)
        return x + drop_path(self.mlp(self.norm2(x)), self.rate, self.training)


class TimmLike(nn.Module):
    """Its forward takes more than the image, with defaults, as timm's transformers do."""

    def __init__(self, width: int = 16, rate: float = 0.3) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 8, stride=8)
        self.position = nn.Parameter(torch.randn(1, 16, width) * 0.02)
        self.blocks = nn.ModuleList([TimmBlock(width, rate * i) for i in range(3)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None, *, pool: str = "mean", **extra: bool) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x, attn_mask=attn_mask) if attn_mask is not None else block(x)
        x = self.norm(x)
        x = x.mean(1) if pool == "mean" else x[:, 0]
        return x if extra.get("pre_logits") else self.head(x)


class BiasedAttention(nn.Module):
    """Keeps, in eval mode, what it computed from its bias, and drops it when it trains again, as LeViT's does."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.biases = nn.Parameter(torch.randn(16) * 0.5)
        self.register_buffer("index", torch.arange(256).reshape(16, 16) % 16)
        self.kept: dict[str, Tensor] = {}

    def train(self, mode: bool = True) -> BiasedAttention:
        super().train(mode)
        if mode:
            self.kept.clear()
        return self

    def bias(self) -> Tensor:
        if self.training:
            return self.biases[self.index]
        if "bias" not in self.kept:
            self.kept["bias"] = self.biases[self.index]
        return self.kept["bias"]

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return x + (q @ k.transpose(1, 2) + self.bias()).softmax(-1) @ v


class LevitLike(nn.Module):
    """Attention that keeps a value on itself."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 8, stride=8)
        self.blocks = nn.Sequential(*[BiasedAttention(width) for _ in range(3)])
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.patch(x).flatten(2).transpose(1, 2)).mean(1))
        return logits


class Jitter(nn.Module):
    """Noise by a call that no list of random functions names."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.normal(x, 0.3) if self.training else x


class Skipped(nn.Module):
    """A block that is left out now and then, decided in Python."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = Block(width)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and float(torch.rand(())) < 0.5:
            return x
        result: Tensor = self.block(x)
        return result


class Shy(nn.Module):
    """A block that looks at its values, which cannot be traced."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = Block(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x.clamp(max=10.0) if bool(x.max() > 10) else x
        result: Tensor = self.block(x)
        return result


class TwoPaths(nn.Module):
    """The image goes down two paths, and the second multiplies where the first may drop."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.coarse = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.scale = nn.Parameter(torch.linspace(0.5, 2, width).view(1, width, 1, 1))
        self.shift = nn.Parameter(torch.linspace(0.5, 2, width).view(1, width, 1, 1))
        self.rate = 0.5
        self.fc = nn.Linear(2 * width, 5)

    def forward(self, x: Tensor) -> Tensor:
        fine = drop_path(self.fine(x) * self.scale, self.rate, self.training)
        coarse = self.coarse(x)
        coarse = coarse * self.scale
        coarse = coarse * self.shift
        logits: Tensor = self.fc(torch.cat([fine, coarse], 1).relu().mean((2, 3)))
        return logits
