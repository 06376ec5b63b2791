"""Tensors on which the logits do not depend: found by trying, and set aside."""

import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

from dnnlab.data import load
from dnnlab.instruments.unread import unread, without_effect
from dnnlab.networks.unread import set_aside, with_own

OWN = runpy.run_path(str(Path(__file__).parents[1] / "fixtures" / "own_networks.py"))


def made(name):
    torch.manual_seed(0)
    return OWN[name]()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("two_layers", set()),
        ("spare_parameter", {"spare"}),
        ("spare_branch", {"spare.weight", "spare.bias"}),
        ("head_in_training", {"aux.weight", "aux.bias"}),
        ("head_in_a_dictionary", {"aux.weight", "aux.bias"}),
        ("head_in_a_tuple", {"aux.weight", "aux.bias"}),
        ("head_in_a_data_class", {"aux.weight", "aux.bias"}),
        ("keeps_its_features", set()),
        ("experts", set()),
        (
            "spare_layer",
            {"spare.0.weight", "spare.0.bias", "spare.1.weight", "spare.1.bias", "spare.1.running_mean",
             "spare.1.running_var", "spare.1.num_batches_tracked"},
        ),
    ],
)  # fmt: skip
def test_what_inference_does_without(name, found):
    """By hand. The scores of experts have no gradient, and still choose."""
    assert unread(made(name), load("digits")) == found


@pytest.mark.parametrize("name", sorted(OWN["EVERY"]))
def test_networks_that_use_all_they_have(name):
    assert unread(made(name), load("digits")) == frozenset()


def test_a_trial_leaves_the_network_as_it_was():
    model = made("spare_layer").train()
    model.a.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert without_effect(model, torch.randn(4, 1, 8, 8), before) == {n for n in before if n.startswith("spare")}
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [m.training for m in (model, model.a, model.spare[1])] == [True, False, True]


def test_what_is_set_aside_is_in_the_state_dict_alone():
    model, x = made("head_in_training"), torch.randn(4, 1, 8, 8)
    before, state = model(x), model.state_dict()
    set_aside(model, ["aux.weight", "aux.bias"])
    assert [name for name, _ in model.named_parameters()] == ["a.weight", "a.bias", "b.weight", "b.bias"]
    assert {n: t.tolist() for n, t in model.state_dict().items()} == {n: t.tolist() for n, t in state.items()}
    assert torch.equal(model.train()(x), before)


def test_a_direction_that_nobody_reads():
    """Half of the weights of a recurrent layer of both directions."""

    class Forward(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.last = nn.GRU(8, 6, batch_first=True, bidirectional=True), nn.Linear(6, 10)

        def forward(self, x):
            return self.last(self.gru(x.flatten(1, 2))[0][:, -1, :6])

    model, x = Forward(), torch.randn(4, 1, 8, 8)
    backwards = {name for name, _ in model.named_parameters() if "reverse" in name}
    assert without_effect(model, x, dict(model.named_parameters())) == backwards
    before = model(x)
    set_aside(model, backwards)
    assert torch.equal(model(x), before)
    assert len(list(model.parameters())) == 4 + 2


def test_missing_values_are_the_networks_own():
    model = made("spare_parameter")
    state = {name: tensor for name, tensor in model.state_dict().items() if name != "spare"}
    assert torch.equal(with_own(model, state, ["spare"])["spare"], model.spare)
    assert with_own(model, {"spare": torch.zeros(1)}, ["spare"])["spare"].tolist() == [0]


class Exit(nn.Module):
    """Goes on only where it is not sure, which it never is at first."""

    def __init__(self):
        super().__init__()
        self.a, self.first, self.b, self.second = (
            nn.Linear(*size) for size in ((64, 20), (20, 10), (20, 20), (20, 10))
        )

    def forward(self, x):
        z = torch.relu(self.a(x.flatten(1)))
        y = self.first(z)
        sure = y.softmax(1).amax(1) > 0.9
        return torch.where(sure[:, None], self.second(self.b(z)), y) if bool(sure.any()) else y


class Limits(nn.Module):
    """Takes a trained limit, and a trained value beyond it, that no number of these reaches."""

    def __init__(self):
        super().__init__()
        self.a, self.limit, self.value = (
            nn.Linear(64, 10),
            nn.Parameter(torch.tensor(1e6)),
            nn.Parameter(torch.ones(10)),
        )

    def forward(self, x):
        y = self.a(x.flatten(1))
        return torch.where(y > self.limit, self.value, y)


@pytest.mark.parametrize("kind", [Exit, Limits])
def test_what_other_inputs_or_another_training_may_need_is_read(kind):
    torch.manual_seed(0)
    assert unread(kind().eval(), load("digits")) == frozenset()


def test_a_head_of_training_alone_is_read_in_training():
    model, data = made("tuple_in_training"), load("digits")
    assert unread(model, data) == {"aux.weight", "aux.bias"}
    assert unread(model, data, training=True) == frozenset()
    assert unread(made("spare_parameter"), data, training=True) == {"spare"}
