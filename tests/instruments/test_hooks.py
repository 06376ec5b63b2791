"""Hooks on any module, against brute force on tensors that were kept."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.instruments.hooks import Recorder


class Variants(nn.Module):
    """The same network with its ReLUs written in four ways."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.conv = nn.Conv2d(2, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5)
        self.head = nn.Linear(5 * 16, 4)
        self.module = nn.ReLU(inplace=True)
        self.kept = []

    def forward(self, x):
        y = self.norm(self.conv(x))
        if self.way == "kept":
            self.kept.append(y)
            y.retain_grad()
            h = torch.clamp(y, min=0)  # no activation function, so that only brute force sees it
            h.retain_grad()
            self.kept.append(h)
        else:
            ways = {
                "module": lambda: self.module(y),
                "functional": lambda: F.relu(y, inplace=True),
                "method": lambda: y.relu_(),
                "torch": lambda: torch.relu(y),
            }
            h = ways[self.way]()
        return self.head(h.flatten(1))


@pytest.mark.parametrize("way", ["module", "functional", "method", "torch"])
def test_activations_count_however_they_are_written(way):
    torch.manual_seed(0)
    model = Variants("kept").double()
    with torch.no_grad():
        model.norm.bias[1] = -9.0  # a dead channel
    x, y = torch.randn(6, 2, 4, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1])
    F.cross_entropy(model(x), y).backward()
    h = model.kept[1]
    expected = {
        "weight_grad_norm": model.conv.weight.grad.norm().item(),
        "act_grad_norm": h.grad.norm().item(),
        "mean": h.mean().item(),
        "variance": h.var(correction=0).item(),
        "zero_fraction": (h == 0).double().mean().item(),
        "saturation": (h == 0).double().mean().item(),
        "dead_fraction": 1 / 5,
    }
    model.kept.clear()
    model.zero_grad()
    model.way = way
    with Recorder(model) as recorder:
        F.cross_entropy(model(x), y).backward()
    conv, head = recorder.rows()
    assert (conv["name"], conv["kind"], conv["act"], head["act"]) == ("conv", "Conv2d", "relu", "")
    for quantity, value in expected.items():
        assert conv[quantity] == pytest.approx(value, rel=1e-12), quantity


def test_watching_changes_nothing():
    torch.manual_seed(0)
    model = Variants("functional")
    twin = copy.deepcopy(model)
    x, y = torch.randn(6, 2, 4, 4), torch.randint(4, (6,))
    with Recorder(model):
        F.cross_entropy(model(x), y).backward()
    F.cross_entropy(twin(x), y).backward()
    for watched, bare in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(watched.grad, bare.grad)
    assert not model.conv._forward_hooks


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (nn.Sigmoid(), "sigmoid"),
        (nn.Tanh(), "tanh"),
        (nn.ReLU(), "relu"),
        (nn.ReLU6(), "relu6"),
        (nn.LeakyReLU(), "leaky_relu"),
        (nn.PReLU(), "prelu"),
        (nn.ELU(inplace=True), "elu"),
        (nn.CELU(), "celu"),
        (nn.SELU(), "selu"),
        (nn.SiLU(inplace=True), "swish"),
        (nn.GELU(), "gelu"),
        (nn.Mish(), "mish"),
        (nn.Hardtanh(), "hardtanh"),
        (nn.Hardswish(), "hardswish"),
        (nn.Softplus(), "softplus"),
    ],
)
def test_every_activation_module_is_seen(module, name):
    model = nn.Sequential(nn.Linear(3, 4), module, nn.Linear(4, 2))
    with Recorder(model) as recorder:
        model(torch.randn(5, 3)).sum().backward()
    first, second = recorder.rows()
    assert (first["act"], second["act"]) == (name, "")
    assert np.isfinite(first["act_grad_norm"])


def test_in_place_swish_is_judged_by_its_input():
    model = nn.Sequential(nn.Linear(1, 2), nn.SiLU(inplace=True))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0], [0.0]]))
        model[0].bias.zero_()
    with Recorder(model) as recorder:
        model(torch.tensor([[-6.0], [-4.0], [1.0]])).sum().backward()
    assert recorder.rows()[0]["saturation"] == pytest.approx(1 / 6)  # of -6, -4, 1 and three zeros


def test_a_shared_module_has_a_row_a_call():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.Tanh(), shared, nn.Tanh(), nn.Linear(4, 2))
    with Recorder(model) as recorder:
        model(torch.randn(3, 4)).sum().backward()
    rows = recorder.rows()
    assert [row["name"] for row in rows] == ["0", "0#2", "4"]
    assert rows[0]["weight_grad_norm"] == rows[1]["weight_grad_norm"] == pytest.approx(shared.weight.grad.norm().item())
    assert rows[0]["delta_norm"] != rows[1]["delta_norm"]


def test_attention_owns_its_output_projection():
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation="gelu")
    head = nn.Sequential(model, nn.Flatten(), nn.Linear(24, 2))
    with Recorder(head) as recorder:
        head(torch.randn(4, 3, 8)).sum().backward()
    rows = {row["name"]: row for row in recorder.rows()}
    assert list(rows) == ["0.self_attn", "0.linear1", "0.linear2", "2"]
    attention = model.self_attn
    both = torch.stack([attention.in_proj_weight.grad.norm(), attention.out_proj.weight.grad.norm()]).norm()
    assert rows["0.self_attn"]["weight_grad_norm"] == pytest.approx(both.item(), rel=1e-6)
    assert rows["0.linear1"]["act"] == "gelu"


def test_tokens_are_no_units():
    """After a Linear the last dimension holds the units, also of [batch, token, unit]."""
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[0].bias.copy_(torch.tensor([-1e3, 0.0, 1e3]))
    with Recorder(model) as recorder:
        model(torch.rand(4, 5, 2) + 0.1).sum().backward()
    assert recorder.rows()[0]["dead_fraction"] == pytest.approx(1 / 3)


def test_a_parametrised_weight_counts_once():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 2))
    with Recorder(model) as recorder:
        model(torch.randn(5, 3)).sum().backward()
    assert [row["name"] for row in recorder.rows()] == ["0", "2"]
    assert np.isfinite(recorder.rows()[0]["weight_grad_norm"])


def test_frozen_layers_have_no_gradient():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    with Recorder(model) as recorder:
        model(torch.randn(5, 3)).sum().backward()
    frozen, free = recorder.rows()
    assert np.isnan(frozen["delta_norm"])
    assert np.isnan(frozen["weight_grad_norm"])
    assert free["weight_grad_norm"] > 0
