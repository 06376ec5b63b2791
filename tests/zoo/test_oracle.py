"""The oracle of the zoo, on networks that are known by their construction."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.zoo import oracle, units

pytestmark = pytest.mark.filterwarnings("ignore")  # of PyTorch, about kernels that are turned off


class Block(nn.Module):
    """A layer, a branch around a second one, an unused one, attention of tokens, and a head; units lie last."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.spare, self.head = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 3), nn.Linear(6, 2)
        self.scale = nn.Parameter(torch.rand(1, 6) + 0.5)
        self.double()

    def forward(self, x):
        y = F.relu(self.a(x) * self.scale)
        self.spare(y)
        return self.head((y + F.relu(self.b(F.layer_norm(y, [6])))).mean(1))


def test_layers_and_gradients_of_a_known_network():
    torch.manual_seed(0)
    model, x = Block(), torch.randn(4, 3, 5, dtype=torch.float64)
    found = oracle.layers(model, (x,), lambda logits: logits.sum())
    assert [(*layer.weights, layer.place) for layer in found] == [
        ("a.weight", "first"), ("spare.weight", "unused"), ("b.weight", "hidden"), ("head.weight", "output"),
    ]  # fmt: skip
    assert found[-1].delta == pytest.approx(math.sqrt(8), rel=1e-12)
    gradients = []

    def made(module, args, out):
        out.register_hook(lambda grad: gradients.append(float(grad.norm())))

    model.a.register_forward_hook(made)
    model(x).sum().backward()
    assert found[0].delta == pytest.approx(gradients[0], rel=1e-12)
    assert math.isnan(found[1].delta)


def test_macs_by_closed_forms():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, groups=1), nn.ConvTranspose2d(8, 4, 2, 2), nn.Flatten())
    model.append(nn.Linear(4 * 64, 10)).double()
    counted = oracle.macs(model, (torch.randn(1, 3, 4, 4, dtype=torch.float64),))
    first, second, last = 8 * 16 * 3 * 9, 8 * 16 * 4 * 4, 4 * 64 * 10
    assert counted.forward == first + second + last
    assert counted.training == 2 * first + 3 * second + 3 * last
    assert counted.parameters == sum(p.numel() for p in model.parameters())


def test_units_of_a_known_network():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.ReLU(), nn.Conv2d(8, 6, 1), nn.ReLU(True), nn.Flatten(2)
    )
    model.append(nn.Linear(16, 7)).append(nn.ReLU6()).double()
    with torch.no_grad():
        model[0].bias[3], model[1].bias[5], model[3].bias[[1, 4]] = -50.0, -50.0, -50.0
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    sites = units.sites(model, (x,))
    assert [site.axes for site in sites] == [(1,), (1,), (2,)]
    looks = units.look(model, (x,), sites)
    # Channel 3 is far below channel 2, which it is normalised with.
    assert [look.dead.nonzero().flatten().tolist() for look in looks][:2] == [[3, 5], [1, 4]]
    assert [look.outputs for look in looks] == [2 * 8 * 16, 2 * 6 * 16, 2 * 6 * 7]


def test_where_units_are_mixed_nothing_is_said():
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.c = nn.Conv2d(3, 8, 3).double()

        def forward(self, x):
            return F.relu(self.c(x).flatten(1))

    (site,) = units.sites(Flat(), (torch.randn(2, 3, 6, 6, dtype=torch.float64),))
    assert site.axes is None
    assert site.why
