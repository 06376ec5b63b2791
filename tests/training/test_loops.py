"""The stacked loop against the plain one: PyTorch's modules, optimisers and clipping are the oracle."""

import numpy as np
import pytest
import torch

from dnnlab.data import load
from dnnlab.networks.mlp import MLP
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.networks.stacked import StackedMLP
from dnnlab.statistics.streams import stream
from dnnlab.training import evaluation
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.networks import PlainTraining
from dnnlab.training.stacked import StackedTraining, accuracy


@pytest.mark.parametrize(
    ("norm", "skip", "act"),
    [("none", "residual", "relu"), ("batch", "none", "prelu"), ("layer", "dense", "gelu"), ("none", "highway", "tanh")],
)
def test_a_member_trains_like_its_plain_twin(norm, skip, act):
    data = load("digits")
    shape = MLPShape(data.features, len(data.classes), 3, 12, (act,) * 3, norm, parse_skip(skip))
    hyper = [Hyperparameters("momentum", 0.05), Hyperparameters("momentum", 0.2, 0.001, clip=0.3)]
    stack = StackedMLP.draw(shape, ["he", "xavier"], [stream(0, seed, "weights") for seed in (0, 1)])
    twins = [MLP.of_member(stack, m) for m in (0, 1)]

    def orders():
        return [batch_order(len(data.train), 32, stream(0, seed, "batches")) for seed in (0, 1)]

    training = StackedTraining(stack, data, hyper, orders())
    steps = [training.step() for _ in range(12)]
    for m, (twin, order) in enumerate(zip(twins, orders(), strict=True)):
        loop = PlainTraining(twin, data, order, hyper[m])
        norms = [loop.norms() for _ in range(12)]
        measured = [(float(s.grad_norm[m]), float(s.clipped_norm[m])) for s in steps]
        np.testing.assert_allclose(measured, norms, rtol=2e-3)
        after = MLP.of_member(stack, m)
        for (name, expected), (_, found) in zip(twin.named_parameters(), after.named_parameters(), strict=True):
            torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-4, msg=lambda text, n=name: f"{n}: {text}")
        right = evaluation.accuracy(evaluation.as_written(twin, data), data, data.validation)
        assert float(accuracy(stack, data, data.validation)[m]) == pytest.approx(float(right), abs=0.012)
    assert any(float(s.clipped_norm[1]) < float(s.grad_norm[1]) for s in steps)


def test_running_statistics_are_those_of_batchnorm():
    data = load("digits")
    shape = MLPShape(data.features, 10, 2, 6, ("relu",) * 2, "batch")
    stack = StackedMLP.draw(shape, ["he"], [stream(0, 0, "weights")])
    twin = MLP.of_member(stack, 0)
    twin.train()
    for part in data.train[:300].split(100):
        x = data.inputs(part).flatten(1)
        stack.forward(x.unsqueeze(0), training=True)
        twin(x)
    norm = twin.hidden[0].below[0]
    torch.testing.assert_close(stack.running["mean.1"][0, 0], norm.running_mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(stack.running["var.1"][0, 0], norm.running_var, rtol=1e-5, atol=1e-6)


def test_batches_cover_an_epoch_without_repeating():
    order = batch_order(10, 3, np.random.default_rng(0))
    epoch = np.concatenate([next(order) for _ in range(3)])
    assert len(set(epoch.tolist())) == 9
    assert sorted(np.concatenate([next(order) for _ in range(3)]).tolist()) != epoch.tolist()


def test_dropout_masks_keep_the_mean_and_are_a_members_own():
    data = load("digits")
    shape = MLPShape(data.features, 10, 3, 50, ("relu",) * 3)

    def masks(members):
        stack = StackedMLP.draw(shape, ["he"] * members, [stream(0, m, "weights") for m in range(members)])
        hyper = [Hyperparameters("sgd", 0.1, dropout=p) for p in (0.4, 0.1)[:members]]
        noise = [stream(0, m, "dropout") for m in range(members)]
        return StackedTraining(stack, data, hyper, [], noise).masks(200)

    drawn = torch.stack(masks(2))
    assert drawn.shape == (3, 2, 200, 50)
    torch.testing.assert_close(
        (drawn == 0).double().mean(dim=(0, 2, 3)), torch.tensor([0.4, 0.1]).double(), atol=0.01, rtol=0
    )
    torch.testing.assert_close(drawn.double().mean(dim=(0, 2, 3)), torch.ones(2).double(), atol=0.02, rtol=0)
    assert torch.equal(torch.stack(masks(1))[:, 0], drawn[:, 0])
