"""The frontier: equal parts, nothing live before it, whatever a model's forward does."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from fxtui.engine.freezing.modes import eval_mode
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.frontier.cut import cut_model
from fxtui.engine.frontier.records import Cut
from fxtui.engine.tracing.trace import trace
from tests.engine.invariants import check_minimal, check_parts
from tests.engine.models import TinyDense, TinyResNet, TinyTransformer, Untraceable, untraceable
from tests.engine.odd_models import Jitter, LevitLike, Shy, Skipped, TimmLike, TwoPaths


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


def seven() -> Tensor:
    return torch.randn(7, 3, 32, 32)


def check_training(model: nn.Module, cut: Cut, images: Tensor) -> None:
    """One and the same loss and gradients from the suffix as from the whole model, noise included."""
    gradients = []
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for whole in (True, False):
        model.zero_grad(set_to_none=True)
        model.load_state_dict(state)
        with torch.no_grad():
            tensors = cut.prefix(images)
        torch.manual_seed(3)
        logits = model(images) if whole else cut.train(*(tensor.clone() for tensor in tensors))
        nn.functional.cross_entropy(logits, torch.arange(len(images)) % 5).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == {name for name, p in model.named_parameters() if p.requires_grad}
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("part", "expected"),
    [([], "mean"), (["blocks.2"], "blocks.1"), (["blocks.1.gamma"], "blocks.0"), (["norm"], "blocks.2")],
)
def test_further_arguments_of_a_forward_have_their_defaults(part: list[str], expected: str) -> None:
    model, images = TimmLike(), seven()
    cut = cut_model(frozen(model, "head", part), "head", images[:3])
    assert cut.note == ""
    assert not cut.at_input
    if part != ["blocks.1.gamma"]:
        assert [tensor.name for tensor in cut.tensors] == [expected]
    check_parts(model, cut, images)
    check_minimal(cut, images)
    check_training(model, cut, images)


def test_stochastic_depth_of_another_kind_is_live_only_where_it_trains() -> None:
    model, images = TimmLike(), seven()
    # Trainable: only what lies in front of the second block's random branches.
    cut = cut_model(frozen(model, "head", ["blocks.1.norm1"]), "head", images[:3])
    names = {str(node.target) for node in cut.train.graph.nodes if node.op == "call_module"}  # type: ignore[union-attr]
    assert "blocks.1.drop_path" in names
    alone = cut_model(frozen(model, "head", []), "head", images[:3])
    assert [node.op for node in alone.train.graph.nodes] == ["placeholder", "call_module", "output"]  # type: ignore[union-attr]


def test_a_stochastic_module_whose_rate_is_nought_is_not_live() -> None:
    model, images = TimmLike(rate=0.0), seven()
    model.blocks[2].drop_path.drop_prob = 0.0
    cut = cut_model(frozen(model, "head", ["blocks.2.norm2"]), "head", images[:3])
    assert not any("drop" in str(node.target) for node in cut.train.graph.nodes)  # type: ignore[union-attr]
    check_training(model, cut, images)


@pytest.mark.parametrize("place", ["pool", "layer3"])
def test_noise_that_no_list_names_is_found(place: str) -> None:
    """Its module has no parameters and is in training with what holds it, the head: so it is on."""
    model, images = TinyResNet(), seven()
    before = model.get_submodule(place)
    model.set_submodule(place, nn.Sequential(before, Jitter()))
    cut = cut_model(frozen(model, "fc", [] if place == "pool" else ["layer3"]), "fc", images[:3])
    assert cut.note == ""
    check_parts(model, cut, images)
    check_minimal(cut, images)
    check_training(model, cut, images)


def test_finding_noise_draws_nothing_from_the_run() -> None:
    model = TinyResNet()
    model.set_submodule("pool", nn.Sequential(model.pool, Jitter()))
    frozen(model, "fc", [])
    torch.manual_seed(5)
    cut_model(model, "fc", seven()[:3])
    after = torch.rand(3)
    torch.manual_seed(5)
    seven()
    assert torch.equal(after, torch.rand(3))


def test_a_choice_made_in_python_is_made_anew_in_every_batch() -> None:
    model, images = TinyResNet(), seven()
    model.dropout.p = 0.0
    model.layer3 = nn.Sequential(*[Skipped(16) for _ in range(6)])
    cut = cut_model(frozen(model, "fc", ["layer3.2", "layer3.3", "layer3.4", "layer3.5"]), "fc", images[:3])
    assert [tensor.name for tensor in cut.tensors] == ["layer3.1"]
    check_parts(model, cut, images)
    with torch.no_grad():
        tensors = cut.prefix(images)
        outcomes = {cut.train(*(t.clone() for t in tensors)).sum().item() for _ in range(8)}
    assert len(outcomes) > 1


class ShyInEval(Shy):
    """Can be traced in training, not in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.block(x) if self.training else super().forward(x)
        return result


def test_a_block_that_cannot_be_traced_in_one_mode_is_whole_in_both() -> None:
    model, images = TinyResNet(), seven()
    model.layer3[1] = ShyInEval(16)
    cut = cut_model(frozen(model, "fc", ["layer3.1.block.bn2"]), "fc", images[:3])
    assert [tensor.name for tensor in cut.tensors] == ["layer3.0"]
    check_parts(model, cut, images)
    check_training(model, cut, images)


def test_a_block_that_cannot_be_traced_does_not_keep_the_rest_from_it() -> None:
    model, images = TinyResNet(), seven()
    model.layer2[1] = Shy(16)
    for part, expected in (([], "flatten"), (["layer3"], "layer2"), (["layer2.1.block.bn2"], "layer2.0")):
        cut = cut_model(frozen(model, "fc", part), "fc", images[:3])
        assert [tensor.name for tensor in cut.tensors] == [expected]
        check_parts(model, cut, images)
        check_training(model, cut, images)


def test_what_a_forward_keeps_on_the_model_is_neither_stale_nor_a_proxy() -> None:
    model, images = LevitLike(), seven()
    for part in ([], ["blocks.2"], ["blocks.1.biases"], []):
        frozen(model, "head", part)
        with eval_mode(model), torch.no_grad():
            model(images)
        cut = cut_model(model, "head", images[:3])
        assert cut.note == ""
        assert all(isinstance(kept, Tensor) for block in model.blocks for kept in block.kept.values())
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 if parameter.requires_grad else 0.0)
        check_parts(model, cut, images)
        check_training(model, cut, images)


def test_tracing_takes_back_what_it_wrote_into_a_models_containers() -> None:
    model = LevitLike().eval()
    trace(model)
    assert all(block.kept == {} for block in model.blocks)


def test_the_image_may_be_part_of_the_frontier() -> None:
    model, images = TwoPaths(), seven()
    cut = cut_model(frozen(model, "fc", ["fine"]), "fc", images[:3])
    assert cut.note == ""
    assert [tensor.name for tensor in cut.tensors] == ["input", "mul_2"]
    assert not cut.at_input
    with torch.no_grad():
        assert torch.equal(cut.prefix(images)[0], images)
    check_parts(model, cut, images)
    check_minimal(cut, images)
    # The random branch has products of its own in training: the frontier is not to be found by a node's name.
    check_training(model, cut, images)


@pytest.mark.parametrize("part", ["block1.layer1.conv", "block2.layer0", "excite1.fc2.bias", "excite2", "down"])
def test_dense_blocks_read_what_is_frozen_far_behind(part: str) -> None:
    model, images = TinyDense(), seven()
    cut = cut_model(frozen(model, "head", [part]), "head", images[:3])
    assert cut.note == ""
    assert not cut.at_input
    check_parts(model, cut, images)
    check_minimal(cut, images)
    check_training(model, cut, images)


def test_a_weight_shared_by_two_layers_is_live_in_both() -> None:
    """Its own name is that of the layer defined first, though the other one is called first."""
    model, images = TinyResNet(), seven()
    layer2 = model.layer2
    del model.layer2
    model.layer2 = layer2
    layer2[1].conv1.weight = model.layer3[0].conv1.weight
    cut = cut_model(frozen(model, "fc", ["layer3.0.conv1"]), "fc", images[:3])
    assert [tensor.name for tensor in cut.tensors] == ["layer2.0"]
    check_parts(model, cut, images)
    check_training(model, cut, images)


def test_what_is_read_before_and_after_it_is_overwritten_is_not_confused() -> None:
    class Overwriting(TwoPaths):
        def forward(self, x: Tensor) -> Tensor:
            coarse = self.coarse(x)
            before = coarse + 1
            nn.functional.relu_(coarse)
            after = coarse + 1
            logits: Tensor = self.fc(torch.cat([self.fine(x) * before, after], 1).mean((2, 3)))
            return logits

    model, images = Overwriting(), seven()
    cut = cut_model(frozen(model, "fc", ["fine"]), "fc", images[:3])
    assert cut.note == ""
    assert [tensor.name for tensor in cut.tensors] == ["input", "add", "add_1"]
    check_parts(model, cut, images)
    check_training(model, cut, images)


def test_what_is_only_written_into_a_live_tensor_is_part_of_the_frontier() -> None:
    class Adding(TwoPaths):
        def forward(self, x: Tensor) -> Tensor:
            fine = self.fine(x)
            fine.add_(self.coarse(x))
            logits: Tensor = self.fc(fine.repeat(1, 2, 1, 1).mean((2, 3)))
            return logits

    model, images = Adding(), seven()
    cut = cut_model(frozen(model, "fc", ["fine"]), "fc", images[:3])
    assert cut.note == ""
    assert [tensor.name for tensor in cut.tensors] == ["input", "coarse"]
    check_parts(model, cut, images)
    check_training(model, cut, images)


def test_a_tensor_is_not_kept_a_second_time_behind_an_identity() -> None:
    class Shortcut(TinyResNet):
        def __init__(self) -> None:
            super().__init__()
            self.shortcut = nn.Sequential(nn.Identity(), nn.Identity())

        def forward(self, x: Tensor) -> Tensor:
            x = self.layer2(self.layer1(self.bn1(self.conv1(x)).relu_()))
            x = self.layer3(x) + self.shortcut(x)
            logits: Tensor = self.fc(x.mean((2, 3)))
            return logits

    model, images = Shortcut(), seven()
    cut = cut_model(frozen(model, "fc", ["layer3"]), "fc", images[:3])
    assert [tensor.name for tensor in cut.tensors] == ["layer2"]
    check_parts(model, cut, images)
    check_training(model, cut, images)


def test_a_module_named_a_dropout_is_live_wherever_it_takes_its_numbers_from() -> None:
    class DropBranch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * random.choice([0.5, 2.0]) if self.training else x

    model, images = TinyResNet(), seven()
    model.dropout = DropBranch()
    cut = cut_model(frozen(model, "fc", []), "fc", images[:3])
    assert [node.target for node in cut.train.graph.nodes if node.op == "call_module"] == ["dropout", "fc"]  # type: ignore[union-attr]
    check_parts(model, cut, images)


def test_an_untraceable_model_that_is_random_outside_its_head_runs_whole() -> None:
    class Random(Untraceable):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(nn.functional.dropout(x, 0.5, self.training))

    model, images = Random(), seven()
    model.dropout.p = 0.0
    cut = cut_model(frozen(model, "fc", []), "fc", images[:3])
    assert cut.at_input
    assert "does something else in training" in cut.note
