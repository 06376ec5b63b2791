"""A step of a loss whose gradient is known: w² / 2 times the mean input, whatever the labels."""

import itertools
import math

import numpy as np
import pytest
import torch

from dnnlab.data import load
from dnnlab.training import hyperparameters
from dnnlab.training.batches import Batches
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.step import Training


def training(**options):
    """Steps of plain gradient descent at the rate 0.1 on a parabola, from (3, 4)."""
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    optimiser = torch.optim.SGD([w], lr=0.1)
    batches = Batches(load("digits"), [itertools.repeat(np.arange(4))])
    return w, Training(optimiser, batches, lambda x, y: w.square().sum() / 2, **options)


def test_a_step_follows_the_gradient_and_says_the_loss_before_it():
    w, loop = training()
    step = loop.step()
    assert float(step.loss) == 12.5
    assert step.grad_norm is None
    assert w.tolist() == pytest.approx([2.7, 3.6])


def test_clipping_takes_a_step_of_the_largest_norm():
    w, loop = training(clip=1.0)
    assert float(loop.step().grad_norm) == pytest.approx(5)
    assert w.tolist() == pytest.approx([3 - 0.1 * 3 / 5, 4 - 0.1 * 4 / 5])


def test_an_infinite_norm_allowed_is_only_seen():
    w, loop = training(clip=math.inf)
    assert float(loop.step().grad_norm) == pytest.approx(5)
    assert w.tolist() == pytest.approx([2.7, 3.6])


def test_the_rate_is_that_of_what_is_done():
    w, loop = training(rate=lambda done: 0.5 * (1 - done))
    loop.step(0.0)
    assert w.tolist() == pytest.approx([1.5, 2.0])
    loop.step(1.0)
    assert w.tolist() == pytest.approx([1.5, 2.0])


def test_what_follows_sees_the_new_parameters():
    seen = []
    w, loop = training(after=lambda: seen.append(w.tolist()))
    loop.step()
    assert seen == [w.tolist()]
    loop.close()
    assert w.grad is None


class Cell:
    optimizer, lr, clip, seed = "adam", 0.01, 0.0, 3


def test_hyperparameters_are_what_a_cell_says():
    assert hyperparameters.of(Cell()) == Hyperparameters("adam", 0.01)
    assert hyperparameters.of(Cell()).clip == math.inf
    clipped = type("Clipped", (Cell,), {"clip": 0.5, "weight_decay": 0.1})()
    assert hyperparameters.of(clipped) == Hyperparameters("adam", 0.01, 0.1, clip=0.5)
