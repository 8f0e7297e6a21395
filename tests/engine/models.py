"""Small real models for the engine's tests, named in configurations as ``tests.engine.models:tiny_resnet``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """A residual block that works in place, as torchvision's do."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x
        result: Tensor = self.relu(out)
        return result


class TinyResNet(nn.Module):
    """A stem, three stages and a dropout before the head."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(Block(width))
        self.layer2 = nn.Sequential(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), Block(2 * width))
        self.layer3 = nn.Sequential(Block(2 * width), Block(2 * width))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(2 * width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu_()
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(self.dropout(self.pool(x).flatten(1)))
        return logits


class TinyTransformer(nn.Module):
    """Patches, a class token, a position embedding and attention: parameters outside modules, shapes in the forward."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 8, stride=8)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.position = nn.Parameter(torch.randn(1, 17, width) * 0.02)
        self.blocks = nn.Sequential(*[Attention(width) for _ in range(3)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[0]
        x = self.patch(x)
        x = x.reshape(n, x.shape[1], -1).permute(0, 2, 1)
        x = torch.cat([self.token.expand(n, -1, -1), x], dim=1) + self.position
        logits: Tensor = self.head(self.norm(self.blocks(x))[:, 0])
        return logits


class Attention(nn.Module):
    """One transformer block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        result: Tensor = x + self.mlp(self.norm2(x))
        return result


class SqueezeExcite(nn.Module):
    """Channels weighed by what the whole image says."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(width, 4, 1)
        self.fc2 = nn.Conv2d(4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x * self.fc2(self.fc1(self.pool(x)).relu()).sigmoid()
        return result


class DenseLayer(nn.Module):
    """Reads everything before it, as DenseNet's layers do."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(width, growth, 3, padding=1, bias=False)
        self.rate = 0.1

    def forward(self, before: list[Tensor]) -> Tensor:
        x = self.conv(self.relu(self.norm(torch.cat(before, 1))))
        return F.dropout(x, p=self.rate, training=self.training)


class DenseBlock(nn.ModuleDict):
    """Layers whose inputs are all outputs so far."""

    def __init__(self, width: int, growth: int, layers: int) -> None:
        super().__init__({f"layer{i}": DenseLayer(width + i * growth, growth) for i in range(layers)})

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class TinyDense(nn.Module):
    """Two dense blocks with a squeeze-and-excitation after each: what is frozen is read far behind."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.SiLU())
        self.block1 = DenseBlock(width, 4, 2)
        self.excite1 = SqueezeExcite(width + 8)
        self.down = nn.Conv2d(width + 8, width, 2, stride=2)
        self.block2 = DenseBlock(width, 4, 2)
        self.excite2 = SqueezeExcite(width + 8)
        self.head = nn.Linear(width + 8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.excite1(self.block1(self.stem(x)))
        x = self.excite2(self.block2(self.down(x)))
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


class Untraceable(TinyResNet):
    """Its forward asks for a value, which a trace does not have."""

    def forward(self, x: Tensor) -> Tensor:
        if float(x.sum()) > 1e30:
            return x
        return super().forward(x)


class Meddler(TinyResNet):
    """Behind its frozen layers it writes to one of them."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        self.conv1.weight.data.add_(logits.detach().mean() * 0 + 0.01)
        return logits


def meddler() -> nn.Module:
    return Meddler()


def tiny_resnet() -> nn.Module:
    return TinyResNet()


def tiny_transformer() -> nn.Module:
    return TinyTransformer()


def tiny_dense() -> nn.Module:
    return TinyDense()


def untraceable() -> nn.Module:
    model = Untraceable()
    model.dropout.p = 0.0
    return model


def greedy() -> nn.Module:
    """A model whose first convolution has memory for five images at a time."""
    model = TinyResNet()

    def refuse(_: nn.Module, inputs: tuple[Tensor]) -> None:
        if len(inputs[0]) > 5:
            raise torch.OutOfMemoryError("out of memory")

    model.conv1.register_forward_pre_hook(refuse)
    return model


class Hidden(nn.Module):
    """A hidden layer for which more than ``most`` images are too many in training, from the ``first`` batch on."""

    def __init__(self, width: int, most: int, first: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.most = most
        self.left = first

    def forward(self, x: Tensor) -> Tensor:
        if self.training and torch.is_grad_enabled() and len(x) > self.most:
            self.left -= 1
            if self.left <= 0:
                raise torch.OutOfMemoryError("out of memory")
        return self.linear(x).relu()


class Demanding(nn.Module):
    """A frozen convolution, the hidden layer, a head; nothing random."""

    def __init__(self, most: int = 10**9, first: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.hidden = Hidden(128, most, first)
        self.fc = nn.Linear(128, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.hidden(self.pool(self.conv(x).relu()).flatten(1)))
        return logits


def undemanding() -> nn.Module:
    return Demanding()


def demanding() -> nn.Module:
    return Demanding(most=8)


def demanding_later() -> nn.Module:
    """Runs out of memory in its second batch of training."""
    return Demanding(most=8, first=2)


def explosive() -> nn.Module:
    """A model whose loss overflows at any usual learning rate."""
    model = TinyResNet()
    with torch.no_grad():
        for parameter in model.layer3.parameters():
            parameter.mul_(1e12)
    return model
