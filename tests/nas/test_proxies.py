"""Zero-cost proxies, against closed forms and plain autograd."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.nas.proxy_names import PROXIES
from dnnlab.nas.scores import score

torch.manual_seed(0)
X, Y = torch.randn(12, 5), torch.arange(12) % 3
MLP = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))


def test_synflow_of_a_chain_without_biases():
    """Σ |w ∂R/∂w| of a layer is R itself, so of three layers it is 3 R, and R is a product of matrices."""
    chain = nn.Sequential(*(nn.Linear(a, b, bias=False) for a, b in ((5, 4), (4, 6), (6, 3))))
    x = torch.ones(5).double()
    for layer in chain:
        x = layer.weight.detach().double().abs() @ x
    assert score("synflow", chain, X, Y) == pytest.approx(math.log(3 * float(x.sum())))


def test_gradients_of_the_loss():
    F.cross_entropy(MLP(X), Y).backward()
    weights = [MLP[0].weight, MLP[2].weight]
    snip = sum(float((w.detach() * w.grad).abs().sum()) for w in weights)
    norm = sum(float(w.grad.square().sum().sqrt()) for w in weights)
    MLP.zero_grad(set_to_none=True)
    assert score("snip", MLP, X, Y) == pytest.approx(snip, rel=1e-5)
    assert score("grad_norm", MLP, X, Y) == pytest.approx(norm, rel=1e-5)


def test_fisher_of_one_layer():
    """The gradient of the mean cross-entropy at the logits is (softmax - one-hot)/n."""
    layer = nn.Linear(5, 3)
    logits = layer(X).detach()
    gradient = (logits.softmax(1) - F.one_hot(Y, 3)) / len(X)
    assert score("fisher", layer, X, Y) == pytest.approx(
        0.5 * float((logits * gradient).square().mean(0).sum()), rel=1e-4
    )


def test_naswot_counts_agreeing_units():
    codes = (MLP[0](X) > 0).numpy()
    kernel = np.array([[(a == b).sum() for b in codes] for a in codes], float)
    sign, logdet = np.linalg.slogdet(kernel)
    assert score("naswot", MLP, X, Y) == pytest.approx(logdet, rel=1e-6) if sign else True


def test_jacob_cov_of_a_linear_network_is_the_worst_there_is():
    """All examples have one gradient: one eigenvalue is n, the others are 0."""
    expected = -(math.log(12 + 1e-5) + 1 / (12 + 1e-5) + 11 * (math.log(1e-5) + 1e5))
    assert score("jacob_cov", nn.Linear(5, 3), X, Y) == pytest.approx(expected, rel=0.05)
    assert score("jacob_cov", MLP, X, Y) > score("jacob_cov", nn.Linear(5, 3), X, Y)


@pytest.mark.parametrize("proxy", PROXIES)
def test_the_model_is_left_as_it_was(proxy):
    model = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    score(proxy, model, X, Y)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.training
    assert all(p.grad is None for p in model.parameters())


class Cut(nn.Module):
    """Nothing of the input reaches the outputs, as in a cell of nothings."""

    def __init__(self):
        super().__init__()
        self.act, self.linear = nn.ReLU(), nn.Linear(5, 3)

    def forward(self, x):
        return self.linear(self.act(torch.zeros_like(x)))


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_network_that_is_cut_has_a_score_or_none(proxy):
    value = score(proxy, Cut(), X, Y)
    assert math.isnan(value) or math.isfinite(value)
    assert proxy != "jacob_cov" or math.isnan(value)
