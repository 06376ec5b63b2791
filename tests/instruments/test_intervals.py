"""Certificates against samples of the box, and bounds against corners that reach them."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from dnnlab.dead_relu.pruning import prune
from dnnlab.instruments.census import take, take_of_module
from dnnlab.instruments.certified import certify
from dnnlab.instruments.intervals import Box, activate, affine, certified_dead
from dnnlab.instruments.traced import trace
from dnnlab.networks.activations import ACTIVATIONS, build
from dnnlab.networks.narrowed import fit
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.networks.stacked import StackedMLP
from dnnlab.networks.weights import NARROWER


def test_one_affine_layer_is_bounded_by_its_worst_corner():
    rng = np.random.default_rng(0)
    weight, bias = torch.from_numpy(rng.standard_normal((4, 6))), torch.from_numpy(rng.standard_normal(4))
    low = torch.from_numpy(rng.standard_normal(6))
    high = low + torch.from_numpy(rng.random(6))
    box = affine(Box.between(low, high), nn.functional.linear, weight, bias, 6)
    corners = torch.stack([torch.stack(c) for c in itertools.product(*zip(low, high, strict=True))])
    values = corners @ weight.T + bias
    assert bool((box.high >= values.amax(0)).all())
    assert bool((box.low <= values.amin(0)).all())
    torch.testing.assert_close(box.high, values.amax(0), rtol=0, atol=1e-5)
    torch.testing.assert_close(box.low, values.amin(0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("act", [*ACTIVATIONS, "Softplus", "Mish", "Hardswish", "ReLU6", "Softsign"])
def test_activations_stay_within_their_boxes(act):
    """Boxes of many widths and places, sampled densely in float32, as networks compute."""
    rng = np.random.default_rng(1)
    low = torch.from_numpy(rng.normal(0, 3, 300)).float()
    high = low + torch.from_numpy(rng.exponential(2, 300)).float()
    module = build(act)
    box = activate(Box.between(low, high), act.lower(), module.double())
    points = torch.clamp(low + (high - low) * torch.linspace(0, 1, 401)[:, None], low, high)
    with torch.no_grad():
        values = module.float()(points).double()
    assert bool((values <= box.high).all())
    assert bool((values >= box.low).all())
    assert bool(box.radius.isfinite().all())


def test_an_unknown_activation_bounds_nothing():
    box = activate(Box.between(torch.zeros(2), torch.ones(2)), "softshrink", nn.Softshrink())
    assert bool(box.radius.isinf().all())
    after = affine(box, nn.functional.linear, torch.zeros(1, 2), None, 2)  # 0 · ∞ is not 0 here
    assert bool(after.high.isinf().all())


def stack_with_dead(norm, skip, seed, act="relu", width=12, depth=3):
    shape = MLPShape(4, 3, depth, width, (act,) * depth, norm, parse_skip(skip))
    stack = StackedMLP.draw(shape, ["he"] * 2, [np.random.default_rng([seed, i]) for i in range(2)])
    with torch.no_grad():
        for name, parameter in stack.parameters.items():
            if name.startswith("beta" if norm != "none" else "bias"):
                parameter -= torch.linspace(0, 12, parameter.shape[-1])
    return stack


@pytest.mark.parametrize("skip", ["none", "residual:0.5", "dense", "highway"])
@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("act", ["relu", "relu*1+gelu*1+relu*1", "prelu*1+relu*2"])
def test_certified_units_are_zero_on_samples_of_the_box(act, norm, skip):
    from dnnlab.networks.activations import per_layer

    shape = MLPShape(4, 3, 3, 12, per_layer(act, 3), norm, parse_skip(skip))
    stack = StackedMLP.draw(shape, ["he"] * 2, [np.random.default_rng(i) for i in range(2)])
    with torch.no_grad():
        for name, parameter in stack.parameters.items():
            if name.startswith("beta" if norm != "none" else "bias"):
                parameter -= torch.linspace(0, 12, parameter.shape[-1])
    low, high = -torch.rand(4), torch.rand(4)
    x = low + torch.rand(20_000, 4) * (high - low)
    seen = take(stack, x)
    proofs = certified_dead(stack, low, high, seen)
    for proof, census in zip(proofs, seen, strict=True):
        assert not bool((proof & ~census.dead).any())
    assert bool(proofs[0].any()) == (shape.acts[0] == "relu")


def test_with_batch_norm_the_certificate_is_of_the_statistics_it_was_given():
    stack = stack_with_dead("batch", "none", seed=4)
    x = torch.randn(5000, 4, generator=torch.Generator().manual_seed(0))
    seen = take(stack, x)
    proofs = certified_dead(stack, x.amin(0), x.amax(0), seen)
    assert any(bool(p.any()) for p in proofs)
    for proof, census in zip(proofs, seen, strict=True):
        assert not bool((proof & ~census.dead).any())


def test_a_diverged_network_has_no_certificates():
    stack = stack_with_dead("none", "none", seed=1)
    with torch.no_grad():
        stack.parameters["weight.1"].fill_(torch.nan)
    x = torch.zeros(3, 4)
    assert not any(bool(p.any()) for p in certified_dead(stack, x[0], x[0] + 1, take(stack, x)))


class Residual(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)
        self.conv2, self.bn2 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + x)


def network(seed):
    """Convolutions, a residual block, pooling, flattening and layers, with some units killed in each."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), Residual(6), nn.MaxPool2d(2),
        nn.Conv2d(6, 5, 3), nn.ReLU6(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(20, 16), nn.LayerNorm(16), nn.ReLU(),
        nn.Linear(16, 10),
    )  # fmt: skip
    with torch.no_grad():
        model[1].running_mean.normal_()
        model[1].running_var.uniform_(0.5, 2)
        model[1].bias[0] -= 30
        model[3].bn1.bias[2:4] -= 60
        model[3].bn2.bias[1] -= 300
        model[5].bias[1] -= 500
        model[10].bias[4:7] -= 20
    return model.eval()


@pytest.mark.parametrize("seed", range(4))
def test_certified_units_of_a_module_are_dead_and_can_go(seed):
    model = network(seed)
    low, high = -torch.ones(1, 8, 8), torch.rand(1, 8, 8)
    graph = trace(model)
    sites = certify(graph, low, high)
    x = low + torch.rand(2000, 1, 8, 8) * (high - low)
    counted = take_of_module(model, x.split(500))
    assert len(sites) == len(counted) == 5
    for site, count in zip(sites, counted, strict=True):
        assert not bool((site.dead & ~count.dead).any())
    found = [int(site.dead.sum()) for site in sites]
    assert all(a >= b for a, b in zip(found, [1, 2, 1, 1, 3], strict=True))
    before = model(x).detach()
    size = sum(p.numel() for p in model.parameters())
    outcome = prune(graph, sites)
    # What meets a sum stays: the stem's unit and the block's output; and the layer norm counts its features.
    assert outcome.removed == {"3.conv1": found[1], "5": found[3]}
    assert outcome.kept_dead == found[0] + found[2] + found[4]
    torch.testing.assert_close(model(x), before, rtol=0, atol=1e-6)
    assert sum(p.numel() for p in model.parameters()) < size
    assert (model[5].out_channels, model[9].in_features) == (5 - found[3], 4 * (5 - found[3]))
    again = network(seed + 100)
    fit(again, model.state_dict())
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again.eval()(x), before, rtol=0, atol=1e-6)
    assert NARROWER in outcome.metadata()


def test_a_layer_of_dead_units_keeps_one():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    with torch.no_grad():
        model[0].bias.fill_(-100)
    graph = trace(model)
    outcome = prune(graph, certify(graph, -torch.ones(3), torch.ones(3)))
    assert (outcome.total, outcome.kept_dead, model[0].out_features) == (3, 1, 1)


def test_bounds_end_where_the_graph_reaches_what_they_do_not_know():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 4)

        def forward(self, x):
            x = torch.relu(self.a(x))
            return torch.relu(self.b(torch.cumsum(x, 1)))

    model = Odd()
    with torch.no_grad():
        model.a.bias.fill_(-100)
        model.b.bias.fill_(-100)
    sites = certify(trace(model), -torch.ones(3), torch.ones(3))
    assert [int(site.dead.sum()) for site in sites] == [4]


@pytest.mark.slow
def test_a_million_samples_of_twenty_networks():
    """Acceptance: certified units are zero on 1,000,000 uniform samples of the box, and removing them changes
    nothing beyond 1e-6."""
    certified = 0
    for seed in range(20):
        torch.manual_seed(seed)
        width = int(torch.randint(8, 40, ()))
        model = nn.Sequential(
            nn.Linear(6, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 3),
        ).eval()  # fmt: skip
        with torch.no_grad():
            for layer in model[::2][:3]:
                layer.bias -= torch.rand(width) * 6
        low, high = -torch.rand(6), torch.rand(6)
        graph = trace(model)
        sites = certify(graph, low, high)
        x = low + torch.rand(1_000_000, 6) * (high - low)
        for site, count in zip(sites, take_of_module(model, x.split(50_000)), strict=True):
            assert not bool((site.dead & ~count.dead).any())
            certified += int(site.dead.sum())
        with torch.no_grad():
            before = model(x)
            prune(graph, sites)
            torch.testing.assert_close(model(x), before, rtol=0, atol=1e-6)
    assert certified > 200
