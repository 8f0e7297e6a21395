"""Published weights: older names, files of one image size, what is in torch's directory, what is downloaded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from fxtui.config import ConfigError, ModelConfig
from fxtui.engine.backbones import lite0
from fxtui.engine.backbones.download import published_file
from fxtui.engine.backbones.load import LoadedModel, load_model


def older_densenet(name: str) -> str:
    return re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", name)


def older_vit(name: str) -> str:
    return name.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2.")


def published(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, weights: str, tensors: dict[str, Tensor]
) -> str:
    """Put tensors where torch keeps the file of these weights, under the digest they have; returns the file's name."""
    monkeypatch.setenv("TORCH_HOME", str(folder))
    (folder / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(tensors, folder / "saved.pth")
    digest = hashlib.sha256((folder / "saved.pth").read_bytes()).hexdigest()[:8]
    file = f"{name}-{digest}.pth"
    (folder / "saved.pth").rename(folder / "hub" / "checkpoints" / file)
    kind = torchvision.models.get_model_weights(name)[weights]
    monkeypatch.setattr(kind.value, "url", f"https://models.invalid/{file}")
    return file


@pytest.mark.parametrize(
    ("name", "weights", "options", "older", "module"),
    [
        ("densenet121", "DEFAULT", {}, older_densenet, "features.denseblock2.denselayer1.conv2"),
        ("vit_b_32", "DEFAULT", {}, older_vit, "encoder.layers.encoder_layer_3.mlp.3"),
        ("mnasnet0_5", "DEFAULT", {}, str, "layers.8.0.layers.0"),
        ("googlenet", "DEFAULT", {"aux_logits": True, "init_weights": False}, str, "inception4a.branch1.conv"),
        ("vit_b_16", "IMAGENET1K_SWAG_E2E_V1", {"image_size": 384}, older_vit, "conv_proj"),
    ],
    ids=["densenet", "vit", "mnasnet", "googlenet", "vit at 384"],
)
def test_published_files_load_whole(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    weights: str,
    options: dict[str, Any],
    older: Callable[[str], str],
    module: str,
) -> None:
    model = torchvision.models.get_model(name, weights=None, **options)
    published(monkeypatch, tmp_path, name, weights, {older(n): t for n, t in model.state_dict().items()})
    config = ModelConfig(backbone=name, weights="default" if weights == "DEFAULT" else weights)
    loaded = load_model(config, 7, 0)
    assert (loaded.weights.missing, loaded.weights.unexpected) == ((), ())
    assert loaded.weights.loaded == loaded.weights.total > 50
    assert torch.equal(loaded.module.get_parameter(f"{module}.weight"), model.get_parameter(f"{module}.weight"))
    assert loaded.preprocessing.crop == options.get("image_size", 224)


def test_the_same_network_is_built_without_reading_its_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    config = ModelConfig(backbone="vit_b_16", weights="IMAGENET1K_SWAG_E2E_V1")
    loaded = load_model(config, 7, 0, read_weights=False)
    assert loaded.module.get_parameter("encoder.pos_embedding").shape == (1, 577, 768)
    gone = ModelConfig(backbone="resnet18", weights=str(tmp_path / "gone.pth"))
    assert load_model(gone, 7, 0, read_weights=False).features == 512


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"PK\x03\x04 torn"], ids=["empty", "page", "torn"])
def test_a_damaged_file_in_torchs_directory_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    file = published(monkeypatch, tmp_path, "resnet18", "DEFAULT", {})
    path = tmp_path / "hub" / "checkpoints" / file
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(f"{path} is damaged: its SHA-256 does not begin with")):
        load_model(ModelConfig(backbone="resnet18", weights="default"), 7, 0)


def test_a_download_is_complete_or_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = b"weights" * 1000
    digest = hashlib.sha256(content).hexdigest()[:8]
    source = tmp_path / f"net-{digest}.pth"
    source.write_bytes(content)
    home = tmp_path / "home"
    monkeypatch.setenv("TORCH_HOME", str(home))
    assert published_file(source.as_uri(), "default").read_bytes() == content
    source.unlink()
    assert published_file(source.as_uri(), "default").read_bytes() == content, "the second time it is there"
    with pytest.raises(ConfigError, match="could not be downloaded"):
        published_file((tmp_path / "other-0123abcd.pth").as_uri(), "default")
    assert [path.name for path in (home / "hub" / "checkpoints").iterdir()] == [source.name]


def test_weights_of_another_model_are_not_taken_by_their_last_word() -> None:
    with pytest.raises(ConfigError, match="not of resnet50; there are IMAGENET1K_V1, IMAGENET1K_V2"):
        load_model(ModelConfig(backbone="resnet50", weights="ResNet18_Weights.IMAGENET1K_V1"), 7, 0)


def test_the_lite0_file_may_be_given_as_a_file() -> None:
    path = lite0.weights_file()
    given = load_model(ModelConfig(weights=str(path)), 7, 0)
    default = load_model(ModelConfig(), 7, 0)
    assert given.weights.loaded == given.weights.total == default.weights.loaded
    tensors = default.module.state_dict()
    assert all(torch.equal(t, tensors[n]) for n, t in given.module.state_dict().items())


def from_file(tmp_path: Path, content: Any, backbone: str = "resnet18") -> LoadedModel:
    torch.save(content, tmp_path / "w.pth")
    return load_model(ModelConfig(backbone=backbone, weights=str(tmp_path / "w.pth")), 7, 0)


def test_the_mapping_that_fits_best_is_taken_wherever_it_is(tmp_path: Path) -> None:
    tensors = torchvision.models.resnet18().state_dict()
    for content in (
        {"epoch": torch.tensor(3), "state_dict": tensors},
        {"backbone": tensors, "projector": {"0.weight": torch.zeros(3, 3)}},
        {
            "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}},
            "net": {"module." + n: t for n, t in tensors.items()},
        },
    ):
        report = from_file(tmp_path, content).weights
        assert report.loaded == report.total == 120
        assert report.unexpected == ()


def test_a_larger_sibling_is_refused_for_its_shapes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of another network: 23 of 100 tensors have another shape") as caught:
        from_file(tmp_path, torchvision.models.resnet50().state_dict())
    assert "\n" not in str(caught.value)


def test_noise_is_damaged_and_not_called_dangerous(tmp_path: Path) -> None:
    path = tmp_path / "noise.pth"
    path.write_bytes(bytes(range(200, 256)) * 20)
    with pytest.raises(ConfigError, match="damaged or not a weights file"):
        load_model(ModelConfig(backbone="resnet18", weights=str(path)), 7, 0)


class Neck(nn.Module):
    """Its ``fc`` is not what it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8, 16)
        self.out = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.out(self.fc(self.body(x).mean((2, 3))).relu())
        return result


class Pointwise(nn.Module):
    """Ends in a 1 x 1 convolution of no usual name."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
        self.final = nn.Conv2d(8, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.final(self.body(x)).mean((2, 3))
        return result


def pooled() -> nn.Module:
    return nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1)), nn.Flatten(), nn.Linear(8, 4))


def without_head() -> nn.Module:
    model = torchvision.models.vit_b_32()
    model.heads = nn.Identity()
    return model


def bare() -> nn.Module:
    return nn.Linear(3, 4)


def lazy() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(4))


def leaving() -> nn.Module:
    raise SystemExit("gone\nfor good")


@pytest.mark.parametrize(("factory", "head"), [("Neck", "out"), ("Pointwise", "final"), ("pooled", "2")])
def test_the_layer_that_gives_the_output_is_the_head(factory: str, head: str) -> None:
    loaded = load_model(ModelConfig(backbone=f"{__name__}:{factory}"), 7, 0)
    assert loaded.head == head
    assert loaded.module.eval()(torch.rand(2, 3, 16, 16)).shape == (2, 7)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("without_head", "no classification layer found"),
        ("bare", "no classification layer found"),
        ("lazy", "has lazy layers"),
        ("leaving", "leaving() failed: SystemExit: gone"),
        ("pooling", "has no pooling; did you mean pooled?"),
    ],
)
def test_a_factory_that_cannot_be_used_is_one_line(factory: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        load_model(ModelConfig(backbone=f"{__name__}:{factory}"), 7, 0)
    assert "\n" not in str(caught.value)
