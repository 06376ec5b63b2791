"""What lies on a path, against products of connection matrices and what a network computes without the rest."""

import itertools

import hypothesis.strategies as st
import numpy as np
import torch
from hypothesis import given, settings
from torch import nn

from dnnlab.compress.reach import on_paths, trimmer
from dnnlab.compress.structure import biases, weights


def sparse(widths, density, seed, act=nn.ReLU):
    """A multilayer perceptron of which a share of the weights is there."""
    torch.manual_seed(seed)
    layers = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), act()]
    model = nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for weight in weights(model).values():
            weight.mul_((torch.rand_like(weight) < density).float())
    return model


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=5),
    st.floats(0.05, 1),
    st.integers(0, 10_000),
    st.sampled_from([nn.ReLU, nn.GELU, nn.Tanh]),
)
def test_paths_of_a_multilayer_perceptron_are_those_of_its_graph(widths, density, seed, act):
    model = sparse(widths, density, seed, act)
    connected = [w.detach().numpy() != 0 for w in weights(model).values()]
    units = [np.ones(widths[0], bool)]
    for matrix in connected:
        units.append((matrix & units[-1]).any(1))
    read = [np.ones(widths[-1], bool)]
    for matrix in reversed(connected):
        read.insert(0, (matrix & read[0][:, None]).any(0))
    there = on_paths(model, (widths[0],))
    for number, (name, matrix) in enumerate(zip(weights(model), connected, strict=True)):
        assert np.array_equal(there[name].numpy(), matrix & units[number] & read[number + 1][:, None])
    for number, name in enumerate(biases(model)):
        assert np.array_equal(there[name].numpy(), units[number + 1] & read[number + 1])


class Shortcut(nn.Module):
    """A convolution, normalised, beside a shortcut; then a maximum over the image."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.branch = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        return self.head((x + self.branch(x)).amax((2, 3)))


def test_a_shortcut_leads_around_a_branch():
    model = Shortcut()
    assert all(bool(there.all()) for there in on_paths(model, (1, 6, 6)).values())
    with torch.no_grad():
        model.branch.weight.zero_()
        model.head.weight[:, 3] = 0
    there = on_paths(model, (1, 6, 6))
    assert there["stem.weight"].flatten(1).any(1).tolist() == [True, True, True, False]
    assert not there["branch.weight"].any()
    assert there["stem.bias"].tolist() == [True, True, True, False]


def test_without_biases_what_is_on_no_path_changes_nothing():
    model = sparse((12, 30, 20, 5), 0.08, 3)
    with torch.no_grad():
        for bias in biases(model).values():
            bias.zero_()
    x = torch.randn(50, 12, generator=torch.Generator().manual_seed(0))
    before = model(x).detach()
    left = on_paths(model, (12,))
    assert sum(int((w != 0).sum() - left[name].sum()) for name, w in weights(model).items()) > 0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.mul_(left[name])
    torch.testing.assert_close(model(x).detach(), before, atol=1e-6, rtol=0)
    assert before.abs().max() > 0.01


def test_a_network_is_left_as_it_is():
    model = Shortcut().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    on_paths(model, (1, 6, 6))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_a_unit_of_sigmoid_feeds_others_whether_it_is_fed_or_not():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight[0] = 0
    there = on_paths(model, (2,))
    assert there["0.bias"].tolist() == [False, True]
    assert there["2.weight"].tolist() == [[True, True]]


def test_a_network_that_would_lose_a_layer_loses_nothing():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    trim = trimmer(model, (3,))
    chosen = {
        "0.weight": torch.tensor([[True] * 3, [False] * 3]),
        "2.weight": torch.tensor([[False, True]]),  # reads the unit that nothing feeds
    }
    with torch.no_grad():
        for name, mask in chosen.items():
            weights(model)[name].mul_(mask)
    assert trim(chosen) is chosen
