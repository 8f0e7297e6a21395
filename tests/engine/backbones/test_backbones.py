"""Backbones: a new head on every family, weights from every kind of file, errors in one line."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.config import ConfigError, ModelConfig
from fxtui.engine.backbones import lite0
from fxtui.engine.backbones.load import LoadedModel, load_model
from tests.engine.models import TinyResNet

TINY = "tests.engine.models:tiny_resnet"
# Family, the head's path, the width it reads, the first and the last stage.
FAMILIES = [
    ("alexnet", "classifier.6", 4096, "features.0", "classifier.4"),
    ("convnext_tiny", "classifier.2", 768, "features.0", "classifier.0"),
    ("densenet121", "classifier", 1024, "features.conv0", "features.norm5"),
    ("efficientnet_b0", "classifier.1", 1280, "features.0", "features.8"),
    ("googlenet", "fc", 1024, "conv1", "inception5b"),
    ("inception_v3", "fc", 2048, "Conv2d_1a_3x3", "Mixed_7c"),
    ("maxvit_t", "classifier.5", 512, "stem", "classifier.3"),
    ("mnasnet0_5", "classifier.1", 1280, "layers.0", "layers.15"),
    ("mobilenet_v2", "classifier.1", 1280, "features.0", "features.18"),
    ("mobilenet_v3_small", "classifier.3", 1024, "features.0", "classifier.0"),
    ("regnet_y_400mf", "fc", 440, "stem", "trunk_output.block4"),
    ("resnet18", "fc", 512, "conv1", "layer4"),
    ("shufflenet_v2_x0_5", "fc", 1024, "conv1", "conv5"),
    ("squeezenet1_0", "classifier.1", 512, "features.0", "features.12"),
    ("swin_t", "head", 768, "features.0", "norm"),
    ("vgg11", "classifier.6", 4096, "features.0", "classifier.3"),
    ("vit_b_16", "heads.head", 768, "conv_proj", "encoder.ln"),
]


@pytest.fixture(autouse=True)
def no_slow_random_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests look at structure; scipy-like truncated normals of Inception would take half a minute."""
    monkeypatch.setattr(nn.init, "trunc_normal_", lambda tensor, *_, **__: tensor)


def random(name: str, classes: int = 7, seed: int = 0) -> LoadedModel:
    return load_model(ModelConfig(backbone=name, weights="none"), classes, seed)


@pytest.mark.parametrize(("name", "head", "width", "first", "last"), FAMILIES, ids=[f[0] for f in FAMILIES])
def test_every_family_gets_a_new_head(name: str, head: str, width: int, first: str, last: str) -> None:
    loaded = random(name)
    assert (loaded.head, loaded.features) == (head, width)
    trains = [n for n, p in loaded.module.named_parameters() if p.requires_grad]
    assert trains
    assert all(n.startswith(head + ".") for n in trains)
    assert loaded.stages[0] == first or loaded.stages[0].startswith(first)
    assert loaded.stages[-1] == last or loaded.stages[-1].startswith(last)
    inside = [n for n, _ in loaded.module.named_parameters() if n.startswith(tuple(s + "." for s in loaded.stages))]
    outside = {n for n, _ in loaded.module.named_parameters()} - set(inside) - set(trains)
    assert all(n.rpartition(".")[2] in ("class_token", "pos_embedding") for n in outside)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_0", "mobilenet_v3_small", "efficientnet_lite0"])
def test_the_new_head_gives_its_classes(name: str) -> None:
    with torch.inference_mode():
        assert random(name).module.eval()(torch.randn(2, 3, 64, 64)).shape == (2, 7)


def test_resnet18_with_ten_classes_trains_5130_parameters() -> None:
    module = random("resnet18", classes=10).module
    assert sum(p.numel() for p in module.parameters() if p.requires_grad) == 5130


def test_random_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = random(TINY, seed=3).module.state_dict()
    state = torch.get_rng_state()
    torch.manual_seed(2)
    second = random(TINY, seed=3).module.state_dict()
    other = random(TINY, seed=4).module.state_dict()
    assert all(torch.equal(first[n], second[n]) for n in first)
    assert not torch.equal(first["fc.weight"], other["fc.weight"])
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


def saved(tmp_path: Path, change: Callable[[dict[str, Tensor]], Any], name: str = "w.pth") -> tuple[Path, TinyResNet]:
    torch.manual_seed(9)
    model = TinyResNet()
    path = tmp_path / name
    content = change(model.state_dict())
    if name.endswith(".safetensors"):
        save_file(content, path)
    else:
        torch.save(content, path)
    return path, model


def prefixed(prefix: str) -> Callable[[dict[str, Tensor]], Any]:
    return lambda tensors: {prefix + n: t for n, t in tensors.items()}


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t,
        prefixed("module."),
        prefixed("module.backbone."),
        prefixed("encoder."),
        lambda t: {"state_dict": prefixed("model.")(t), "epoch": 3},
        lambda t: {"model": {"state_dict": t}},
        lambda t: {n: v.half() if v.is_floating_point() else v for n, v in t.items()},
        lambda t: {n: v for n, v in t.items() if not n.endswith("num_batches_tracked")},
        lambda t: {n: v for n, v in t.items() if not n.startswith("fc.")},
    ],
    ids=[
        "plain",
        "module",
        "nested prefix",
        "encoder",
        "state_dict",
        "model.state_dict",
        "half",
        "no counts",
        "no head",
    ],
)
def test_weights_are_found_however_they_are_wrapped(tmp_path: Path, change: Callable[..., Any]) -> None:
    path, model = saved(tmp_path, change)
    loaded = load_model(ModelConfig(backbone=TINY, weights=str(path)), 7, 0)
    assert (loaded.weights.missing, loaded.weights.unexpected) == ((), ())
    assert loaded.weights.loaded == loaded.weights.total > 20
    torch.testing.assert_close(
        loaded.module.get_parameter("layer2.0.weight"), model.layer2[0].weight, atol=1e-3, rtol=1e-3
    )


def test_safetensors_and_what_differs_is_reported(tmp_path: Path) -> None:
    def change(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        kept = {n: t.clone() for n, t in tensors.items() if n != "conv1.weight"}
        return {**kept, "extra.weight": torch.zeros(2)}

    path, _ = saved(tmp_path, change, "w.safetensors")
    report = load_model(ModelConfig(backbone=TINY, weights=str(path)), 7, 0).weights
    assert report.missing == ("conv1.weight",)
    assert report.unexpected == ("extra.weight",)
    assert report.loaded == report.total - 1


class Malicious:
    """Would create a file if it were unpickled freely."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def refused(path: Path, backbone: str = TINY) -> str:
    with pytest.raises(ConfigError) as caught:
        load_model(ModelConfig(backbone=backbone, weights=str(path)), 7, 0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_malicious_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    target = tmp_path / "touched"
    torch.save({"state_dict": Malicious(target)}, tmp_path / "evil.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Malicious(target)))
    assert "needs free unpickling" in refused(tmp_path / "evil.pth")
    refused(tmp_path / "bare.pth")
    assert not target.exists()


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    whole, _ = saved(tmp_path, lambda t: t)
    cases = {
        "page.pth": b"<!DOCTYPE html><html></html>",
        "pointer.safetensors": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "empty.pt": b"",
        "torn.pth": whole.read_bytes()[:2000],
        "noise.safetensors": b"\x00" * 100,
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
    assert "a web page" in refused(tmp_path / "page.pth")
    assert "Git LFS pointer" in refused(tmp_path / "pointer.safetensors")
    for name in ("empty.pt", "torn.pth", "noise.safetensors"):
        assert "weights file" in refused(tmp_path / name)
    assert "no such file" in refused(tmp_path / "none.pth")
    torch.save({"epoch": 3}, tmp_path / "nothing.pth")
    assert "holds no state dict" in refused(tmp_path / "nothing.pth")


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path, lambda t: t)
    message = refused(path, "resnet18")
    assert "tensors match the backbone, fewer than half" in message


@pytest.mark.parametrize(
    ("backbone", "weights", "message"),
    [
        ("resnet81", "none", "model.backbone = 'resnet81': unknown backbone; did you mean resnet18?"),
        ("resnet18", "IMAGENET1K_V7", "model.weights = 'IMAGENET1K_V7': not of resnet18; there are IMAGENET1K_V1"),
        ("nowhere.at.all:make", "none", "no module named nowhere"),
        ("tests.engine.models:missing", "none", "tests.engine.models has no missing"),
        ("tests.engine.models:Tensor.shape", "none", "cannot be called"),
        ("tests.engine.runs:tiny_config", "none", "returned RunConfig; expected a torch.nn.Module"),
        ("a b:c", "none", "expected package.module:factory"),
    ],
)
def test_wrong_names_are_one_line(backbone: str, weights: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_model(ModelConfig(backbone=backbone, weights=weights), 7, 0)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_network_the_place_of_the_file_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    message = refused_default()
    assert f"resnet18-f37072fd.pth is not in {tmp_path}/hub/checkpoints and could not be downloaded" in message
    assert f"copy it to {tmp_path}/hub/checkpoints/resnet18-f37072fd.pth" in message


def refused_default() -> str:
    with pytest.raises(ConfigError) as caught:
        load_model(ModelConfig(backbone="resnet18", weights="default"), 7, 0)
    return str(caught.value)


def test_lite0_equals_a_network_written_from_the_weights_alone() -> None:
    """An independent forward over the file's tensors, in their order, with TensorFlow's padding written out."""
    original = torch.load(lite0.weights_file(), weights_only=True)
    assert len(original) == 296
    tensors = iter(original.values())
    model = lite0.build().eval()
    model.load_state_dict(lite0.current_names(original))
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def conv(x: Tensor, stride: int, depthwise: bool, act: bool) -> Tensor:
        weight, scale, shift, mean, var, _ = (next(tensors) for _ in range(6))
        size, kernel = x.shape[-1], weight.shape[-1]
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        x = F.pad(x, (total // 2, total - total // 2) * 2)
        x = F.conv2d(x, weight, stride=stride, groups=x.shape[1] if depthwise else 1)
        x = F.batch_norm(x, mean, var, scale, shift, eps=1e-3)
        return x.clamp(0, 6) if act else x

    with torch.inference_mode():
        x = conv(images, 2, False, True)
        for expand, _, stride, _, _, repeats in lite0._STAGES:
            for number in range(repeats):
                y, step = x, stride if number == 0 else 1
                if expand > 1:
                    y = conv(y, 1, False, True)
                y = conv(conv(y, step, True, True), 1, False, False)
                x = x + y if y.shape == x.shape and step == 1 else y
        x = conv(x, 1, False, True).mean((2, 3))
        expected = F.linear(x, next(tensors), next(tensors))
        torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-4)
