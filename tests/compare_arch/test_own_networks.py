"""Networks of people's own that shapes alone do not decide: they are counted, predicted and trained; what gives no
logits is told before anything is measured."""

import json

import pytest
import torch
from torch import nn

from dnnlab.compare_arch.equal_budget.measure import predicted
from dnnlab.compare_arch.fitting import Input

MODELS = """
import torch
from torch import nn
from torch.nn import functional as F

class Zeros(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRUCell(8, 12), nn.Linear(12, 10)
    def forward(self, x):
        h = torch.zeros(len(x), 12)
        for t in range(8):
            h = self.cell(x[:, 0, t], h)
        return self.head(h)

class Kept(nn.Module):
    def __init__(self):
        super().__init__()
        self.places, self.a, self.head = torch.randn(8, 16), nn.Linear(8, 16), nn.Linear(16, 10)
    def forward(self, x):
        return self.head(F.relu(self.a(x[:, 0]) + self.places).mean(1))

class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.attend, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 10)
    def forward(self, x):
        mask = torch.triu(torch.ones(8, 8, dtype=torch.bool), 1)
        return self.head(self.attend(x[:, 0], x[:, 0], x[:, 0], attn_mask=mask)[0][:, -1])

class Numbers(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.head = nn.Linear(64, 20), nn.Linear(20, 10)
    def forward(self, x):
        y = self.a(x.flatten(1))
        if y.sum() > 1e9:
            y = y / 2
        z = torch.zeros_like(y)
        z[y > 0] = y[y > 0]
        return self.head(z)

class Sparse(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.head = nn.Linear(8, 16), nn.Linear(16, 10)
        self.register_buffer("edges", torch.eye(8).to_sparse())
    def forward(self, x):
        return self.head(torch.stack([torch.sparse.mm(self.edges, self.a(each)) for each in x[:, 0]]).mean(1))

def plain():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))

class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = plain()
    def forward(self, x):
        return {"out": self.net(x)}

class Nothing(Named):
    def forward(self, x):
        self.net(x)

class One(Named):
    def forward(self, x):
        return self.net(x)[:, :1]

class Chosen(Named):
    def forward(self, x):
        return self.net(x).argmax(1)

class TwoInTraining(Named):
    def forward(self, x):
        return (self.net(x), self.net(x)) if self.training else self.net(x)

class NoGradient(Named):
    def forward(self, x):
        y = self.net(x)
        return y * torch.heaviside(y, torch.zeros(()))
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "numbers_needed.py").write_text(MODELS)
    monkeypatch.syspath_prepend(tmp_path)
    return "numbers_needed"


@pytest.mark.parametrize("name", ["Zeros", "Kept", "Masked", "Numbers", "Sparse"])
def test_a_network_that_needs_numbers_is_counted_predicted_and_trained(dnnlab, blank_figures, own, name):
    done = dnnlab("compare-arch", "--arch", f"{own}:{name}", "--cost-only", "--data", "digits", "--json")
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["summary"]
    assert row["macs"] > 0
    done = dnnlab("compare-arch", "--arch", f"{own}:{name}", "--budget", "steps=3", "--seeds", 1, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["summary"][0]["accuracy"] is not None


def test_a_real_step_takes_the_memory_that_shapes_say(own, monkeypatch):
    """The same network, once decided by its shapes and once by numbers that change nothing."""
    on, built = Input((1, 8, 8), 10), []

    class Asks(nn.Sequential):
        def forward(self, x):
            built.append(x.device.type)
            if float(x.sum()) > 1e30:
                return x
            return super().forward(x)

    def make(arch, shape, classes, skeleton=False):
        kind = Asks if arch.endswith("asks") else nn.Sequential
        model = kind(nn.Flatten(), nn.Linear(64, 200), nn.ReLU(), nn.Linear(200, 10))
        return model.to("meta") if skeleton else model

    monkeypatch.setattr("dnnlab.compare_arch.equal_budget.measure.build", make)
    plain, asks = (predicted(f"{own}:{name}", on, 32, "momentum") for name in ("plain", "asks"))
    assert built == ["meta", "cpu"]
    assert (asks.parameters, asks.gradients, asks.optimiser) == (plain.parameters, plain.gradients, plain.optimiser)
    assert (asks.saved, asks.peak) == pytest.approx((plain.saved, plain.peak), rel=0.05)
    assert plain.parameters == 4 * sum(p.numel() for p in make("plain", (), 0).parameters())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("name", "gives"),
    [
        ("Named", "the model gives dict for 2 inputs of digits; it should give logits [2, 10]"),
        ("Nothing", "the model gives NoneType for 2 inputs"),
        ("One", "the model gives [2, 1] for 2 inputs"),
        ("Chosen", "the model gives [2] for 2 inputs"),
        ("TwoInTraining", "the model gives tuple for 2 inputs"),
        ("NoGradient", "does not run on an input of 1 × 8 × 8, forward and backward: derivative for"),
    ],
)
def test_what_gives_no_logits_is_told_before_anything_is_measured(dnnlab, tmp_path, own, name, gives):
    done = dnnlab("compare-arch", "--arch", f"{own}:{name},mlp1", "--budget", "steps=3", "--seeds", 1)
    assert done.code == 2
    assert gives in done.err
    assert not (tmp_path / "results").exists()
