"""What is proven dead is dead in the network that runs, also where hooks, overwritten tensors, attributes and arguments
make it another one than its layers say. The oracle is the network itself on many points of the box."""

import contextlib

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.errors import UsageError
from dnnlab.instruments.certified import certify
from dnnlab.instruments.traced import trace

LOW, HIGH = -torch.ones(6), torch.ones(6)
SEEN = []


def seen(h):
    """The output of an activation, which the oracle looks at."""
    if isinstance(h, torch.Tensor):
        SEEN.append(h)
    return h


class Net(nn.Module):
    """Layers of which some units are far below zero; ``change`` makes it another network than these say."""

    def __init__(self, forward, change=lambda m: None):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.n, self.r = nn.BatchNorm1d(8), nn.ReLU(inplace=True)
        self.register_buffer("m", torch.zeros(8))
        with torch.no_grad():
            self.a.bias[:3] = -100
            self.b.bias[:2] = -100
            self.n.bias[:4] = -100
        self.run = forward
        change(self)

    def forward(self, x):
        return self.c(self.run(self, x))


def overwritten_again(m, x):
    y = m.a(x)
    z = y
    z += 100.0
    return seen(F.relu(y))


def overwritten_view(m, x):
    y = m.a(x)
    y.view(-1, 2, 4).add_(100.0)
    return seen(F.relu(y))


def part_overwritten(m, x):
    y = m.a(x)
    y[:, :2] = 1.0
    return seen(F.relu(y))


def result_discarded(m, x):
    y = m.a(x)
    seen(m.r(y))
    return seen(F.relu(-y + 1e-3))


class Always(nn.Dropout):
    """Monte Carlo dropout."""

    def train(self, mode=True):
        return super().train(True)


def grows(m, x):
    m.calls = getattr(m, "calls", 0) + 1
    return seen(F.relu(m.a(x) + (0 if m.calls == 1 else 200)))


def own_forward(m):
    usual = m.a.forward
    m.a.forward = lambda x: usual(x) + 100


def weights_of_one_sign(m):
    with torch.no_grad():
        m.b.weight.fill_(-1)
        m.b.bias.fill_(4)


def relu(m, x):
    return seen(F.relu(m.a(x)))


OTHER = {
    "hook": (relu, lambda m: m.a.register_forward_hook(lambda module, given, out: out + 100)),
    "hook before": (relu, lambda m: m.a.register_forward_pre_hook(lambda module, given: (given[0] * 1e4,))),
    "hook on the whole": (relu, lambda m: m.register_forward_pre_hook(lambda module, given: (given[0] * 1e4,))),
    "hook on batch norm": (
        lambda m, x: seen(F.relu(m.n(m.a(x)))),
        lambda m: m.n.register_forward_hook(lambda module, given, out: out.abs()),
    ),
    "hook on a dropout": (
        lambda m, x: seen(F.relu(m.d(m.a(x)))),
        lambda m: m.__setattr__("d", nn.Dropout()) or m.d.register_forward_hook(lambda module, given, out: -out),
    ),
    "own forward": (relu, own_forward),
    "overwritten": (lambda m, x: (y := m.a(x)).add_(100.0) * 0 + seen(F.relu(y)), None),
    "overwritten under another name": (overwritten_again, None),
    "overwritten by a view": (overwritten_view, None),
    "overwritten in part": (part_overwritten, None),
    "overwritten and discarded": (result_discarded, None),
    "overwritten as an argument": (
        lambda m, x: (torch.add(y := m.a(x), 100.0, out=y.detach()), seen(F.relu(y)))[1],
        None,
    ),
    "batch norm in training mode": (
        lambda m, x: m.n.train() and seen(F.relu(m.n(m.a(x)))),
        lambda m: m.n.running_mean.fill_(-1e4),
    ),
    "dropout that is always on": (
        lambda m, x: seen(F.relu(m.d(m.a(x) + 150))),
        lambda m: m.__setattr__("d", Always(0.5)) or m.a.weight.data.mul_(1e3),
    ),
    "random numbers": (lambda m, x: seen(F.relu(m.a(x) + 1e3 * torch.rand(8))), None),
    "random numbers of its shape": (lambda m, x: seen(F.relu(m.a(x) + 1e3 * torch.rand(m.a(x).shape))), None),
    "buffer that grows": (lambda m, x: seen(F.relu(m.a(x) + m.m.add_(90.0))), None),
    "number that grows": (grows, None),
    "falling slope": (lambda m, x: seen(F.relu(m.b(F.leaky_relu(m.a(x), -1.0)))), weights_of_one_sign),
    "falling ELU": (lambda m, x: seen(F.relu(m.b(F.elu(m.a(x), -4.0)))), weights_of_one_sign),
}
SAME = {
    "plain": (relu, 3),
    "two layers": (lambda m, x: seen(F.relu(m.b(relu(m, x)))), 5),
    "in place": (lambda m, x: seen(F.relu(m.b(seen(m.r(m.a(x)))))), 5),
    "in place, as a method": (lambda m, x: seen(F.relu(m.b(seen(m.a(x).relu_())))), 5),
    "sum in place": (lambda m, x: seen(F.relu(m.a(x).__iadd__(m.b.bias))), 3),
    "batch norm": (lambda m, x: seen(F.relu(m.n(m.a(x)))), 4),
    "data": (lambda m, x: seen(F.relu(m.a(x).data)), 3),
    "transposed twice": (lambda m, x: seen(F.relu(m.a(x).T.T)), 3),
    "sum with what is read no more": (lambda m, x: seen(F.relu(m.b(x.new_zeros(8)) + m.a(x).data)), 0),
    "named argument": (lambda m, x: seen(F.relu(m.a(input=x))), 3),
    "by its shape": (lambda m, x: seen(F.relu(m.a(x).view(x.shape[0], 8))), 3),
}


def proven(model):
    """The units proven dead at each site, held against the network itself."""
    sites = certify(trace(model.eval()), LOW, HIGH)
    model.eval()
    x = torch.cat([LOW + torch.rand(4000, 6) * (HIGH - LOW), torch.stack([LOW, HIGH])])
    with torch.no_grad():
        for _ in range(3):  # a network may do something else with each call
            SEEN.clear()
            model(x)
    for site, h in zip(sites, SEEN, strict=False):
        assert site.dead is None or not bool((h[:, site.dead] != 0).any())
    return sum(int(site.dead.sum()) for site in sites if site.dead is not None)


@pytest.mark.parametrize("case", OTHER)
def test_nothing_is_proven_of_another_network_than_runs(case):
    forward, change = OTHER[case]
    with contextlib.suppress(UsageError):  # the whole network has no proof
        proven(Net(forward, change or (lambda m: None)))


@pytest.mark.parametrize("case", SAME)
def test_what_changes_nothing_hinders_no_proof(case):
    forward, least = SAME[case]
    assert proven(Net(forward)) >= least


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_hooks_of_pytorch_hinder_no_proof():
    def change(m):
        m.a = nn.utils.weight_norm(m.a)

    two = SAME["two layers"][0]
    assert proven(Net(two, change)) >= 2  # those of the layer behind it


def test_tracing_leaves_what_a_network_remembers():
    def remembers(m, x):
        h = F.relu(m.a(x))
        m.last = h.detach().mean(0)
        m.m.mul_(0.5)
        m.m = 0.9 * m.m + 0.1 * m.last
        return h - m.m

    model = Net(remembers)
    model.m += 1
    with pytest.raises(UsageError, match="no unit of it is certified"):  # each call reads what the one before left
        trace(model.eval())
    assert "last" not in vars(model)
    assert torch.equal(model.m, torch.ones(8))
    assert isinstance(model(torch.rand(4, 6)), torch.Tensor)
