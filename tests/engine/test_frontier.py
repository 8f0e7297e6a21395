"""The frontier: one cut for every torchvision family, equal parts, nothing live before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torchvision
from torch import Tensor, nn

from fxtui.engine.freezing import Freezing
from fxtui.engine.frontier import Cut, cut_model
from fxtui.engine.tracing import eval_mode
from tests.engine.models import TinyResNet, TinyTransformer, untraceable

# Family, head, what trains, frontier with the head alone, frontier with that part training as well, pixels.
FAMILIES = [
    ("alexnet", "classifier.6", "features.10", ["flatten"], ["features.9"], 64),
    ("convnext_tiny", "classifier.2", "features.7", ["classifier.1"], ["features.6"], 64),
    ("densenet121", "classifier", "features.norm5", ["flatten"], ["features.denseblock4"], 64),
    ("efficientnet_b0", "classifier.1", "features.8", ["flatten"], ["features.7"], 64),
    ("efficientnet_v2_s", "classifier.1", "features.7", ["flatten"], ["features.6"], 64),
    ("googlenet", "fc", "inception5b.branch1", ["flatten"], None, 64),
    ("inception_v3", "fc", "Mixed_7c.branch1x1", ["avgpool"], None, 96),
    ("mnasnet0_5", "classifier.1", "layers.14", ["mean"], ["layers.13"], 64),
    ("mobilenet_v2", "classifier.1", "features.18", ["flatten"], ["features.17"], 64),
    ("mobilenet_v3_small", "classifier.3", "features.12", ["classifier.1"], ["features.11"], 64),
    ("regnet_y_400mf", "fc", "trunk_output.block4", ["flatten"], ["trunk_output.block3"], 64),
    ("resnet18", "fc", "layer4", ["flatten"], ["layer3"], 64),
    ("shufflenet_v2_x0_5", "fc", "conv5", ["mean"], ["stage4"], 64),
    ("squeezenet1_0", "classifier.1", "features.12", ["features"], ["features.11"], 64),
    ("swin_t", "head", "features.7", ["flatten"], ["features.6"], 64),
    ("swin_v2_t", "head", "features.7.1", ["flatten"], ["features.7.0"], 64),
    ("vgg11", "classifier.6", "features.18", ["classifier.1"], ["features.17"], 64),
]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def frozen(model: nn.Module, head: str, trainable: list[str]) -> nn.Module:
    freezing = Freezing(model, head, ())
    freezing.trainable = freezing.resolve(trainable)
    freezing.apply()
    return model


def run(cut: Cut, images: Tensor) -> Tensor:
    logits: Tensor = cut.evaluate(*cut.prefix(images))
    return logits


@pytest.mark.parametrize(("name", "head", "part", "alone", "with_part", "size"), FAMILIES, ids=[f[0] for f in FAMILIES])
def test_every_family_is_cut(
    name: str, head: str, part: str, alone: list[str], with_part: list[str] | None, size: int
) -> None:
    options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(name, weights=None, **options)
    images = torch.randn(5, 3, size, size)
    for trainable, expected in (([], alone), ([part], with_part)):
        cut = cut_model(frozen(model, head, trainable), head, images[:3])
        assert cut.note == ""
        if expected is not None:
            assert [tensor.name for tensor in cut.tensors] == expected
        with eval_mode(model), torch.no_grad():
            # Five images, where the cut was studied with two and three: no batch size may be baked in.
            torch.testing.assert_close(run(cut, images), model(images), rtol=1e-5, atol=1e-5)
        assert not any(parameter.requires_grad for parameter in cut.prefix.parameters())


@pytest.mark.parametrize("part", ["layer3.1.bn2", "layer2.1", "layer1", "bn1", "layer2.1.conv1"])
def test_a_cut_inside_a_residual_block(part: str) -> None:
    model, images = TinyResNet(), torch.randn(6, 3, 32, 32)
    cut = cut_model(frozen(model, "fc", [part]), "fc", images[:4])
    assert cut.note == ""
    assert not cut.at_input
    with eval_mode(model), torch.no_grad():
        torch.testing.assert_close(run(cut, images), model(images))
    assert {name for name, _ in cut.train.named_parameters()} >= {"fc.weight", "fc.bias"}
    assert not any(parameter.requires_grad for parameter in cut.prefix.parameters())


@pytest.mark.parametrize("part", ["blocks.1", "blocks.2.attention", "norm", "blocks.0.mlp.0.bias", "position"])
def test_attention_and_parameters_outside_modules(part: str) -> None:
    model, images = TinyTransformer(), torch.randn(6, 3, 32, 32)
    cut = cut_model(frozen(model, "head", [part]), "head", images[:3])
    assert cut.note == ""
    with eval_mode(model), torch.no_grad():
        torch.testing.assert_close(run(cut, images), model(images))


def test_everything_trainable_is_not_cut() -> None:
    model, images = TinyResNet(), torch.randn(3, 3, 32, 32)
    cut = cut_model(frozen(model, "fc", [""]), "fc", images)
    assert cut.at_input
    assert cut.note == ""


def test_the_training_suffix_equals_the_model_in_training() -> None:
    """Same dropout masks, same BatchNorm statistics, same gradients as the whole model in its modes."""
    images, labels = torch.randn(8, 3, 32, 32), torch.arange(8) % 5
    outcomes = []
    for cutting in (False, True):
        torch.manual_seed(1)
        model = frozen(TinyResNet(), "fc", ["layer3"])
        cut = cut_model(model, "fc", images[:3])
        torch.manual_seed(2)
        if cutting:
            with torch.no_grad():
                tensors = cut.prefix(images)
            logits = cut.train(*(tensor.clone() for tensor in tensors))
        else:
            logits = model(images)
        nn.functional.cross_entropy(logits, labels).backward()
        gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        outcomes.append((logits.detach(), gradients, {k: v.clone() for k, v in model.named_buffers()}))
    torch.testing.assert_close(outcomes[0], outcomes[1], rtol=0, atol=0)


def test_cutting_leaves_no_mark_on_the_model() -> None:
    model = frozen(TinyResNet(), "fc", ["layer3"])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    attributes = [set(vars(module)) for module in model.modules()]
    cut_model(model, "fc", torch.randn(3, 3, 32, 32))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert modes == [module.training for module in model.modules()]
    assert attributes == [set(vars(module)) for module in model.modules()]


def test_untraceable_is_cut_at_its_head_and_says_so() -> None:
    model, images = untraceable(), torch.randn(5, 3, 32, 32)
    cut = cut_model(frozen(model, "fc", []), "fc", images)
    assert [tensor.name for tensor in cut.tensors] == ["fc"]
    assert "cut at its head" in cut.note
    with eval_mode(model), torch.no_grad():
        torch.testing.assert_close(run(cut, images), model(images))


def test_untraceable_with_more_than_the_head_runs_whole_and_says_why() -> None:
    model, images = untraceable(), torch.randn(5, 3, 32, 32)
    cut = cut_model(frozen(model, "fc", ["layer3"]), "fc", images)
    assert cut.at_input
    assert "every batch runs it whole" in cut.note
