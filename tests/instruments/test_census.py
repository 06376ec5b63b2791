"""Counts of dead units against a brute-force look at every output on every input."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.instruments.census import silent_in_first_layer, take, take_of_module
from dnnlab.instruments.certified import certify
from dnnlab.instruments.traced import trace
from dnnlab.networks.mlp import MLP
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.networks.stacked import StackedMLP


def stack_of(act="relu", norm="none", skip="none", members=3, depth=4, width=9, inputs=5):
    shape = MLPShape(inputs, 3, depth, width, (act,) * depth, norm, parse_skip(skip))
    stack = StackedMLP.draw(shape, ["he"] * members, [np.random.default_rng(i) for i in range(members)])
    with torch.no_grad():  # some units that are dead for sure, and some that are nearly
        for name, parameter in stack.parameters.items():
            if name.startswith(("bias", "beta")):
                parameter -= torch.linspace(0, 3, parameter.shape[-1])
    return stack


def outputs_of(model, x):
    """The output of every activation module, ``[input, unit]`` each."""
    seen = []
    handles = [
        m.register_forward_hook(lambda module, args, out: seen.append(out.detach().clone()))
        for m in model.modules()
        if type(m).__module__ == "torch.nn.modules.activation"
    ]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("skip", ["none", "residual", "dense", "highway"])
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("act", ["relu", "leaky_relu", "gelu", "Hardswish"])
def test_a_stack_is_counted_as_its_members_are_one_by_one(act, norm, skip):
    stack = stack_of(act, norm, skip)
    x = torch.from_numpy(np.random.default_rng(9).standard_normal((200, 5))).float()
    seen = take(stack, x)
    for member in range(stack.members):
        model = MLP.of_member(stack, member).train()  # batch norm by these very inputs
        for census, h in zip(seen, outputs_of(model, x), strict=True):
            dead = (h == 0).all(dim=0)
            # Float32 sums of another order may move a value across zero only where it is nearly there.
            close = (h.abs() < 1e-5).all(dim=0) & ~dead
            agree = census.dead[member] == dead
            assert bool((agree | close).all())
            assert float(census.zero_fraction[member]) == pytest.approx(float((h == 0).double().mean()), abs=2e-3)
    if act in ("relu", "leaky_relu"):
        assert bool(seen[-1].dead.any()) == (act == "relu")


def test_a_dead_unit_stays_dead_whoever_else_is_in_the_stack():
    stack, x = stack_of(members=5), torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    together = take(stack, x)
    for member in range(5):
        for a, b in zip(take(stack.members_of(slice(member, member + 1)), x), together, strict=True):
            assert torch.equal(a.dead[0], b.dead[member])


def test_inactive_leaky_units_are_those_a_relu_would_lose():
    relu, leaky = stack_of("relu", depth=1), stack_of("leaky_relu", depth=1)
    x = torch.randn(300, 5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(take(relu, x)[0].dead, take(leaky, x)[0].inactive)
    assert not take(leaky, x)[0].dead.any()


def test_a_unit_silent_on_all_parts_is_silent():
    stack = stack_of(depth=1)
    x = torch.randn(300, 5, generator=torch.Generator().manual_seed(2))
    assert torch.equal(silent_in_first_layer(stack, x.split(7)), take(stack, x)[0].dead)


class Block(nn.Module):
    """A basic block with in-place ReLU, one module called twice, as torchvision writes it."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + identity)


def resnet():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
        Block(8, 8, 1), Block(8, 12, 2), Block(12, 12, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 10),
    )  # fmt: skip
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.bias[1::3] -= 2.5
    return model.eval()


def test_a_resnet_with_in_place_relu_is_counted_like_brute_force():
    """The oracle keeps every ReLU's output on the whole set, and looks at all of it."""
    model = resnet()
    x = torch.randn(96, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    kept = []
    handles = [
        m.register_forward_hook(lambda module, args, out: kept.append(out.detach().clone()))
        for m in model.modules()
        if isinstance(m, nn.ReLU)
    ]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    sites = take_of_module(model, x.split(10))
    names = ["0", "3.conv1", "3.conv2", "4.conv1", "4.conv2", "5.conv1", "5.conv2"]
    assert [site.name for site in sites] == names
    for site, h in zip(sites, kept, strict=True):
        assert torch.equal(site.dead, (h == 0).all(dim=3).all(dim=2).all(dim=0))
        assert site.zero_fraction == pytest.approx(float((h == 0).double().mean()), rel=1e-12)
    assert 0 < sum(int(site.dead.sum()) for site in sites) < 60


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x):
        x = self.a(x).clamp_(min=0)
        x = F.relu(self.b(x), inplace=True)
        x = torch.tanh(F.relu6(self.b(x)))
        return self.c(F.leaky_relu(x).sigmoid())


def test_functional_calls_count_and_only_those_that_are_zero_somewhere():
    sites = take_of_module(Functional(), [torch.randn(50, 4)])
    assert [(site.name, site.act) for site in sites] == [("a", "relu"), ("b", "relu"), ("b#2", "relu6")]


@pytest.mark.parametrize(("act", "within"), [(nn.Softshrink(), 0.5), (nn.Hardshrink(2.0), 2.0)])
def test_a_shrinkage_counts_and_its_units_within_the_interval_are_dead(act, within):
    model = nn.Sequential(nn.Linear(1, 3, bias=False), act, nn.Linear(3, 1))
    with torch.no_grad():
        model[0].weight.copy_(within * torch.tensor([[0.9], [-0.9], [1.1]]))
    x = torch.tensor([[-1.0], [0.2], [1.0]])
    (site,) = take_of_module(model, [x])
    assert site.dead.tolist() == [True, True, False]
    proven = certify(trace(model), torch.tensor([-1.0]), torch.tensor([1.0]))
    assert [(each.name, each.dead.tolist()) for each in proven] == [(site.name, [True, True, False])]


def test_no_relu_no_sites():
    assert take_of_module(nn.Sequential(nn.Linear(3, 3), nn.GELU(), nn.Linear(3, 2)), [torch.randn(5, 3)]) == []
