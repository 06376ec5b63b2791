"""The axes that products sum over, against those that a formula names; and two of four along them."""

import runpy
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.compress import chain
from dnnlab.compress.stages.prune import left, two_of_four
from dnnlab.compress.summed import summed
from dnnlab.data import load

OWN = runpy.run_path(str(Path(__file__).parents[1] / "fixtures" / "own_networks.py"))
Written = OWN["Written"]


def written(forward, shape, **modules):
    net = Written(forward, last=nn.Linear(8, 10), **modules)
    torch.manual_seed(0)
    net.w = nn.Parameter(torch.randn(shape))
    return net


def looked_up(s, x):
    return s.last(s.table((x.flatten(1) > 0).long()).mean(1))


NETWORKS = {
    "x @ w": (written(lambda s, x: s.last(x.flatten(1) @ s.w), (64, 8)), "w", (0,)),
    "x @ w.T": (written(lambda s, x: s.last(x.flatten(1) @ s.w.T), (8, 64)), "w", (1,)),
    "F.linear": (written(lambda s, x: s.last(F.linear(x.flatten(1), s.w)), (8, 64)), "w", (1,)),
    "F.linear of a transpose": (written(lambda s, x: s.last(F.linear(x.flatten(1), s.w.t())), (64, 8)), "w", (0,)),
    "einsum": (written(lambda s, x: s.last(torch.einsum("bi,io->bo", x.flatten(1), s.w)), (64, 8)), "w", (0,)),
    "a matrix for each of two": (
        written(lambda s, x: s.last((x.reshape(len(x), 2, 32).transpose(0, 1) @ s.w).sum(0)), (2, 32, 8)),
        "w",
        (1,),
    ),
    "a matrix with its inputs apart": (
        written(lambda s, x: s.last(x.flatten(1) @ s.w.view(64, 8)), (8, 8, 8)),
        "w",
        (0, 1),
    ),
    "layer": (OWN["two_layers"](), "a.weight", (1,)),
    "recurrent": (OWN["recurrent"](), "lstm.weight_hh_l0", (1,)),
    "convolution": (OWN["grouped"](), "2.weight", (1, 2, 3)),
    "transposed": (
        nn.Sequential(nn.Conv2d(1, 16, 3), nn.ConvTranspose2d(16, 12, 3, groups=2), nn.Flatten(), nn.Linear(768, 10)),
        "1.weight",
        (0,),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_weight_is_summed_over_along_its_inputs(name):
    model, weight, axes = NETWORKS[name]
    found = summed(model, torch.randn(2, 1, 8, 8))
    assert found[weight].axes == axes


@pytest.mark.parametrize("name", NETWORKS)
def test_two_of_every_four_inputs_stay(name):
    """The layer is read entry by entry: of each run of four along the inputs, the two larger."""
    model, name, axes = NETWORKS[name]
    weight = dict(model.named_parameters())[name].detach()
    mask = two_of_four(model, summed(model, torch.randn(2, 1, 8, 8)))[name]
    assert mask.shape == weight.shape
    others = [axis for axis in range(weight.ndim) if axis not in axes]
    runs = weight.abs().permute(*others, *axes).reshape(-1, 4)
    kept = mask.permute(*others, *axes).reshape(-1, 4)
    assert kept.sum(1).eq(2).all()
    assert torch.equal(kept, runs >= runs.sort(1).values[:, 2:3])


def test_what_no_product_sums_over_is_left_and_named():
    (stage,) = chain.parse("prune:2of4")
    data = load("digits")
    table = Written(looked_up, table=nn.Embedding(2, 8), last=nn.Linear(8, 10))
    assert left(table, stage, data) == {"table.weight": "no product is seen to sum over it"}
    masked = written(lambda s, x: s.last(x.flatten(1) @ (s.w * 2)), (64, 8))
    assert left(masked, stage, data) == {"w": "no product is seen to sum over it"}
    odd = written(lambda s, x: s.last(x.flatten(1)[:, :63] @ s.w), (63, 8))
    assert left(odd, stage, data) == {"w": "its inputs are no multiple of four"}
    assert left(written(lambda s, x: s.last(x.flatten(1) @ s.w), (64, 8)), stage, data) == {}


def test_groups_of_a_transposed_layer_are_sums_of_their_own():
    (stage,) = chain.parse("prune:2of4")
    layers = nn.Conv2d(1, 12, 3), nn.ConvTranspose2d(12, 12, 3, groups=2), nn.Flatten(), nn.Linear(768, 10)
    assert left(nn.Sequential(*layers), stage, load("digits")) == {
        "0.weight": "its inputs are no multiple of four",  # 9 of them
        "1.weight": "its inputs are no multiple of four",  # 6 in each of the two groups
    }
