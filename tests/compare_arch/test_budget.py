"""A budget of multiply–accumulates buys every network as many, by PyTorch's own count of a real training step."""

import importlib
import sys

import pandas as pd
import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from dnnlab.compare_arch.fitting import Input, counted
from dnnlab.instruments.products import plain_functions
from dnnlab.networks.heads import freeze_body
from dnnlab.networks.named import build

OWN = """
import torch
from torch import nn
from torch.nn import functional as F

def head(channels): return nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(channels, 10))

class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.h = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(1, 12, 5, padding=2), head(20)
    def forward(self, x): return self.h(torch.cat((self.a(x), self.b(x)), axis=1))

class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.fc = nn.LSTM(8, 24, batch_first=True), nn.Linear(24, 10)
    def forward(self, x): return self.fc(self.lstm(x.flatten(1, 2))[0][:, -1])

def frozen():
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), head(8))
    net[0].requires_grad_(False)
    return net

class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.fc = nn.Linear(8, 16), nn.Linear(16, 10)
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
    def forward(self, x): return self.fc(self.layer(self.tokens(x.flatten(1, 2))).mean(axis=1))

class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.low = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, 2, 1)
        self.up, self.last = nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(8, 10, 1)
    def forward(self, x):
        x = F.relu(self.down(x))
        x = self.last(torch.cat([x, self.up(F.relu(self.low(x)))], 1))
        return F.avg_pool2d(input=x, kernel_size=8).flatten(1)

class Exponential(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.eye(64))
    def forward(self, x): return (x.flatten(1) @ torch.linalg.matrix_exp(self.w))[:, :10]
"""
NETWORKS = ("Branches", "Recurrent", "frozen", "Attention", "UNet")


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "nets_of_budget.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    yield
    sys.modules.pop("nets_of_budget", None)


def real_macs(model, inputs):
    """Multiply–accumulates of a real training step on a batch of so many ``inputs``."""
    x, y = torch.rand(inputs, 1, 8, 8), torch.zeros(inputs, dtype=torch.int64)
    with plain_functions(()), FlopCounterMode(display=False) as counter:
        F.cross_entropy(model.train()(x), y).backward()
    return counter.get_total_flops() / 2


def test_macs_that_are_spent_are_those_of_the_budget(dnnlab, blank_figures, own, tmp_path):
    archs = ",".join(f"nets_of_budget:{name}" for name in NETWORKS)
    done = dnnlab("compare-arch", "--arch", archs, "--budget", "macs=3e8", "--seeds", 1, "--batch-size", 16)
    assert done.code == 0, done.err
    (found,) = (tmp_path / "results" / "compare-arch").glob("*/summary.csv")
    module = importlib.import_module("nets_of_budget")
    for name, steps in zip(NETWORKS, pd.read_csv(found)["steps"], strict=True):
        assert steps * real_macs(getattr(module, name)(), 16) == pytest.approx(3e8, rel=0.01), name


@pytest.mark.parametrize("arch", ["resnet20", "mlp3"])
def test_of_a_frozen_body_only_the_head_has_a_gradient(arch):
    model = build(arch, (1, 8, 8), 10)
    freeze_body(model)
    assert 4 * counted(arch, Input((1, 8, 8), 10), "body").training_macs == real_macs(model, 4)
    assert 4 * counted(arch, Input((1, 8, 8), 10)).training_macs == real_macs(build(arch, (1, 8, 8), 10), 4)


def test_what_is_not_counted_is_said(dnnlab, blank_figures, own):
    done = dnnlab("compare-arch", "--arch", "nets_of_budget:Exponential", "--cost-only", "--data", "digits")
    assert done.code == 0, done.err
    assert "nets_of_budget:Exponential multiplies by its parameters in linalg_matrix_exp is in none of" in " ".join(
        done.out.split()
    )
