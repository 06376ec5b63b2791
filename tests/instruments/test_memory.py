"""Predicted training memory: by hand for a small net, and against the allocator's record."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab import create_model
from dnnlab.errors import UsageError
from dnnlab.instruments import memory as memory_module
from dnnlab.instruments.memory import measured_peak, predict
from dnnlab.networks.skeleton import Skeleton


def loss(model, x, y):
    return F.cross_entropy(model(x), y)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def test_the_parts_of_a_small_net_by_hand():
    with Skeleton():
        model = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 10))
    memory = predict(model, (20,), 64, loss, sgd)
    parameters = 4 * (20 * 50 + 50 + 50 * 10 + 10)
    assert (memory.parameters, memory.gradients, memory.optimiser) == (parameters,) * 3
    # Input, ReLU's output, log-probabilities, and the labels and total weight that cross-entropy keeps.
    assert memory.saved == pytest.approx(4 * 64 * (20 + 50 + 10) + 8 * 64, abs=16)
    # Beside weights, their gradients and velocities at most two gradients of the hidden layer are there at once.
    assert memory.saved + 2 * parameters < memory.peak < memory.saved + 3 * parameters + 2 * 4 * 64 * 50


@pytest.mark.parametrize("name", ["resnet20", "vgg11:head=linear,width=0.25", "mobilenet_v2:width=0.25", "densenet40"])
@pytest.mark.parametrize("make", [sgd, lambda parameters: torch.optim.Adam(parameters)])
def test_the_prediction_is_what_the_allocator_records(name, make):
    with Skeleton():
        skeleton = create_model(name, num_classes=10, input_size=32)
    predicted = predict(skeleton, (3, 32, 32), 16, loss, make).peak

    def train():
        model = create_model(name, num_classes=10, input_size=32).train()
        x, y = torch.zeros(16, 3, 32, 32), torch.zeros(16, dtype=torch.int64)
        optimiser = make(model.parameters())
        for _ in range(2):
            optimiser.zero_grad(set_to_none=True)
            loss(model, x, y).backward()
            optimiser.step()

    assert measured_peak(train, "cpu") == pytest.approx(predicted, rel=0.1)


@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v3_small", "densenet40", "vit_b_32:width=0.25"])
def test_outputs_known_by_their_shapes_are_those_of_pytorch(name, monkeypatch):
    def predicted():
        with Skeleton():
            skeleton = create_model(name, num_classes=10, input_size=64)
        return predict(skeleton, (3, 64, 64), 4, loss, sgd)

    known = predicted()
    monkeypatch.setattr(memory_module, "_OUTPUTS", {})
    monkeypatch.setattr(memory_module, "_IN_PLACE", frozenset())
    assert predicted() == known


def test_a_net_that_does_not_take_the_input_is_refused():
    with pytest.raises(UsageError, match="cannot be trained"):
        predict(nn.Linear(3, 3).to("meta"), (5,), 2, loss, sgd)
