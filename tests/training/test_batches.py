"""What a step sees, counted out by hand."""

import numpy as np
import pytest
import torch

from dnnlab.data import load
from dnnlab.training.augmentation import augmentation
from dnnlab.training.batches import Batches, batch_order


def orders(data, count):
    return [batch_order(len(data.train), 16, np.random.default_rng(seed)) for seed in range(count)]


def test_positions_count_in_the_training_split():
    data = load("digits")
    x, y = (batches := Batches(data, orders(data, 1))).examples(batches())
    index = data.train[torch.from_numpy(next(orders(data, 1)[0]))]
    assert torch.equal(x, data.inputs(index))
    assert torch.equal(y, data.y[index])


def test_or_among_the_examples_that_are_named():
    data = load("digits")
    half = data.train[1::2]
    batches = Batches(data, [iter([np.array([0, 5])])], among=half)
    assert torch.equal(batches.examples(batches())[1], data.y[half[[0, 5]]])


@pytest.mark.parametrize("augment", ["none", "crop+flip"])
def test_members_see_what_each_would_see_alone(augment):
    data = load("digits")
    noise = [np.random.default_rng(7), np.random.default_rng(8)]
    together = Batches(data, orders(data, 2), augment, noise, stacked=True)
    alone = [
        Batches(data, [order], augment, [np.random.default_rng(seed)])
        for order, seed in zip(orders(data, 2), (7, 8), strict=True)
    ]
    for _ in range(3):
        x, y = together.examples(together())
        for member, batches in enumerate(alone):
            own_x, own_y = batches.examples(batches())
            assert torch.equal(x[member], own_x)
            assert torch.equal(y[member], own_y)


def test_images_are_changed_before_they_are_standardised():
    data = load("digits")
    batches = Batches(data, orders(data, 1), "shift", [np.random.default_rng(3)])
    x, _ = batches.examples(batches())
    index = data.train[torch.from_numpy(next(orders(data, 1)[0]))]
    change = augmentation("shift")
    assert torch.equal(x, data.standardised(change(data.x[index], np.random.default_rng(3))))
