"""Copies of networks that keep what a forward pass made."""

import copy
import runpy
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dnnlab.networks.remembered import copied, in_mode, same_state

OWN = runpy.run_path(str(Path(__file__).parents[1] / "fixtures" / "own_networks.py"))


@dataclass
class Held:
    value: Tensor


def test_a_network_that_keeps_a_tensor_of_its_forward_pass_is_copied():
    model = OWN["keeps_its_features"]()
    model(torch.randn(4, 1, 8, 8))
    model.held = Held(model.features.sum())
    with pytest.raises(RuntimeError):
        copy.deepcopy(model)
    twin = copied(model)
    assert torch.equal(twin.features, model.features)
    assert twin.features.grad_fn is None
    assert twin.features.data_ptr() != model.features.data_ptr()
    assert twin.kept["deeper"][0][0] == model.kept["deeper"][0][0]
    assert twin.held.value == model.held.value
    assert model.features.grad_fn is not None  # the network itself keeps what it has
    assert twin.a.weight.requires_grad
    assert twin.a.weight is not model.a.weight


def test_tied_weights_stay_tied_in_a_copy():
    model = OWN["tied_layers"]()
    twin = copied(model)
    assert twin[3].weight is twin[5].weight
    assert twin[3].weight is not model[3].weight


def test_each_module_gets_its_mode_back():
    model = nn.Sequential(nn.BatchNorm1d(3).eval(), nn.Linear(3, 3)).requires_grad_(False)
    model.training = True
    with in_mode(model, training=True):
        assert all(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == [True, False, True]


def test_what_a_pass_changes_in_place_is_undone():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.steps, self.past = nn.Linear(3, 3), torch.zeros(1), deque([torch.ones(3)], maxlen=5)
            self.register_buffer("mean", torch.zeros(3))

        def forward(self, x):
            self.steps += 1
            self.mean.add_(x.mean(0))
            self.past.append(self.layer(x))
            return self.past[-1]

    model = Counts()
    with same_state(model):
        model(torch.ones(2, 3))
        assert copied(model).past[-1].grad_fn is None
    assert (model.steps.tolist(), model.mean.tolist(), len(model.past)) == ([0], [0, 0, 0], 1)
