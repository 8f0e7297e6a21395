"""What must hold after every change of freezing, asked of the model itself."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from fxtui.engine.freezing.modes import eval_mode
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.frontier.records import Cut
from fxtui.engine.optimization.optimizer import Optimization


def plain_modes(model: nn.Module, batchnorm: str = "follow") -> None:
    """The modes of the loop one would have written: all in training, what is wholly frozen in evaluation."""
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
    for module in model.modules() if batchnorm != "follow" else ():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train(batchnorm == "live")


def head_names(model: nn.Module, head: str) -> frozenset[str]:
    return frozenset(name for name, _ in model.named_parameters() if name.startswith(head + "."))


def check_freezing(model: nn.Module, freezing: Freezing, optimization: Optimization) -> None:
    """Flags, modes, groups and gradients all say the same."""
    wanted = freezing.trainable | head_names(model, freezing.head)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == wanted
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)
    held = [id(p) for group in optimization.optimizer.param_groups for p in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {id(p) for p in model.parameters() if p.requires_grad}
    assert {id(p) for p in optimization.optimizer.state} <= set(held)
    assert {name for name, rates in optimization.rates().items() if rates} == wanted


def check_modes(model: nn.Module, batchnorm: str = "follow") -> None:
    ours = {name: module.training for name, module in model.named_modules()}
    plain_modes(model, batchnorm)
    assert ours == {name: module.training for name, module in model.named_modules()}


def check_parts(model: nn.Module, cut: Cut, images: Tensor) -> None:
    """The two parts equal the whole, for a number of images that no trace has seen."""
    assert len(images) not in (2, 3, 4)
    with eval_mode(model), torch.no_grad():
        torch.testing.assert_close(cut.evaluate(*cut.prefix(images)), model(images), rtol=1e-5, atol=1e-5)


def check_minimal(cut: Cut, images: Tensor) -> None:
    """Nothing that trains lies before the frontier, and no tensor of it could lie any deeper.

    It could if all that reads it gave the same whatever the trainable weights, twice, and kept no statistics.
    """
    assert not any(parameter.requires_grad for parameter in cut.prefix.parameters())
    if cut.at_input:
        return
    with torch.no_grad():
        tensors = cut.prefix(images)
    first, second = copy.deepcopy(cut.train), copy.deepcopy(cut.train)
    with torch.no_grad():
        for parameter in second.parameters():
            if parameter.requires_grad:
                parameter.mul_(1.5).add_(0.01)
    before = {name: buffer.clone() for name, buffer in first.named_buffers()}
    one, other = (_values(suffix, tensors, seed) for seed, suffix in enumerate((first, second)))
    moved = {name.rpartition(".")[0] for name, b in first.named_buffers() if not torch.equal(b, before[name])}
    for place in first.graph.nodes:
        if place.op == "placeholder":
            changed = [u for u in place.users if str(u.target) in moved or not _same(one[u.name], other[u.name])]
            assert changed, f"everything that reads {place.name} is frozen"


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def check_still(model: nn.Module, before: Mapping[str, Tensor], batchnorm: str = "follow") -> None:
    """Frozen parameters have not moved by a bit, nor the statistics of frozen layers, however often they were used."""
    for name, tensor in model.state_dict().items():
        owner = model.get_submodule(name.rpartition(".")[0])
        own = dict(owner.named_parameters(recurse=False))
        parameter = own.get(name.rpartition(".")[2])
        if parameter is not None:
            frozen = not parameter.requires_grad
        else:
            frozen = batchnorm == "frozen" or not (batchnorm == "live" or any(p.requires_grad for p in own.values()))
        if frozen:
            assert torch.equal(tensor, before[name]), f"{name} has moved"


class _Keeping(fx.Interpreter):
    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[str, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        self.values[n.name] = fx.node.map_aggregate(value, lambda v: v.clone() if isinstance(v, Tensor) else v)
        return value


def _values(suffix: nn.Module, tensors: tuple[Tensor, ...], seed: int) -> dict[str, Any]:
    assert isinstance(suffix, fx.GraphModule)
    interpreter = _Keeping(suffix)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        interpreter.run(*(tensor.clone() for tensor in tensors))
    return interpreter.values


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, tuple | list):
        return all(map(_same, one, other))
    return bool(one == other)
