"""Random networks on inputs with given statistics."""

import math

import numpy as np
import pytest
import torch

from dnnlab.gradient_flow.measure import inputs
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.theory.monte_carlo import MonteCarlo, _spectrum
from dnnlab.theory.setting import InputStatistics, Setting


def monte_carlo(init="he", norm="batch", skip="none", width=32, depth=5, told=None, act="relu", batch=64, features=64):
    shape = MLPShape(features, 10, depth, width, (act,) * depth, norm, parse_skip(skip))
    return MonteCarlo(Setting(shape, init, told or InputStatistics(1.0, 1.0, 0.2, 0.15), batch))


@pytest.mark.parametrize(
    "told", [InputStatistics(1.0, 0.5, 0.12, 0.17), InputStatistics(2.0, 2.0, 2 * math.sqrt(2 / 64), 2 / 8)]
)
def test_inputs_have_the_statistics_that_are_asked_for(told):
    found = {name: float(value.mean()) for name, value in inputs(monte_carlo(told=told).inputs()).items()}
    assert found["input_mean_square"] == pytest.approx(told.mean_square, rel=0.05)
    assert found["input_variance"] == pytest.approx(told.variance, rel=0.05)
    assert found["input_product_spread"] == pytest.approx(told.product_spread, rel=0.15)


@pytest.mark.parametrize("dimensions", [1.5, 3.0, 7.9])
def test_a_spectrum_counts_as_so_many_dimensions(dimensions):
    shares = _spectrum(64, dimensions)
    assert shares.sum() == pytest.approx(1)
    assert 1 / math.sqrt((shares**2).sum()) == pytest.approx(dimensions)
    assert (np.diff(shares) <= 0).all()


def test_inputs_without_a_direction_of_their_own_have_a_flat_spectrum():
    np.testing.assert_allclose(_spectrum(16, 100.0), 1 / 16)


@pytest.mark.parametrize(
    ("init", "std"), [("he", math.sqrt(2 / 32)), ("torch", math.sqrt(1 / 96)), ("orthogonal", math.sqrt(1 / 32))]
)
def test_weights_are_drawn_as_the_initialiser_says(init, std):
    weight, _ = monte_carlo(init).draw(2)
    assert float(weight.std()) == pytest.approx(std, rel=0.02)
    assert float(weight.mean()) == pytest.approx(0, abs=0.01)
    if init == "orthogonal":
        torch.testing.assert_close(weight @ weight.transpose(1, 2), torch.eye(32).expand(len(weight), -1, -1))


def test_one_weight_or_bias_of_each_unit_is_positive_under_rai():
    """Beta(2, 1) has the mean 2/3, and one of 33 is of it; the others are normal of mean 0."""
    weight, bias = monte_carlo("rai").draw(2)
    together = torch.cat([weight, bias], dim=1)
    assert float(together.mean()) == pytest.approx(2 / 3 / 33, rel=0.1)


@pytest.mark.parametrize("skip", ["none", "residual:0.5", "highway", "dense"])
@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
def test_gradients_are_those_of_autograd(norm, skip, monkeypatch):
    """The same networks in one pass of PyTorch in float64, differentiated by autograd."""
    net = monte_carlo(norm=norm, skip=skip, act="tanh", depth=4, batch=16)
    drawn, keep = [], net.draw

    def draw(layer, gate=False):
        drawn.append((layer, gate, *(each.double() for each in keep(layer, gate))))
        return drawn[-1][2].float(), drawn[-1][3].float()

    read, seen = net.inputs(), []
    labels = torch.randint(10, (net.networks, 16), generator=torch.Generator().manual_seed(3))
    monkeypatch.setattr(net, "draw", draw)
    monkeypatch.setattr(net, "inputs", lambda: read)
    monkeypatch.setattr(torch, "randint", lambda *args, **more: labels)
    found = net.log_deltas()
    weights = {(layer, gate): (w, b) for layer, gate, w, b in drawn}
    w, b = weights[1, False]
    y, hs = read.double() @ w + b, []
    for layer in range(1, 5):
        y.requires_grad_(True)
        y.retain_grad()
        seen.append(y)
        over = {"none": None, "layer": 2, "batch": 1}[norm]
        u = y
        if over:
            u = (y - y.mean(over, keepdim=True)) / (y.var(over, keepdim=True, correction=0) + 1e-5).sqrt()
        hs.append(torch.tanh(u))
        w, b = weights[layer + 1, False]
        branch = (torch.cat(hs, dim=2) if skip == "dense" else hs[-1]) @ w + b
        if layer == 4:
            break
        if skip == "residual:0.5":
            y = y + 0.5 * branch
        elif skip == "highway":
            gate = torch.sigmoid(y @ weights[layer + 1, True][0] - 2)
            y = gate * branch + (1 - gate) * y
        else:
            y = branch
    torch.nn.functional.cross_entropy(branch.flatten(0, 1), labels.flatten(), reduction="sum").backward()
    exact = torch.stack([torch.linalg.vector_norm(each.grad, dim=(1, 2)) for each in seen]).log()
    torch.testing.assert_close(found - found[-1], exact - exact[-1], atol=1e-3, rtol=0)


def test_the_random_stream_is_fixed():
    first, second = (monte_carlo().predict() for _ in range(2))
    assert first.log_rate == second.log_rate
