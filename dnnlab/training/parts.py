"""A part of a data set, the same for every network."""

import dataclasses

import torch
from torch import Tensor

from dnnlab.data.dataset import Dataset
from dnnlab.statistics.streams import stream


def spread(index: Tensor, count: int) -> Tensor:
    """At most ``count`` of ``index``, evenly over it, since examples in files often come class by class."""
    if count >= len(index):
        return index
    return index[torch.linspace(0, len(index) - 1, count, dtype=torch.float64).round().long()]


def part_of(data: Dataset, train_size: int, test_size: int, base: int, seed: int = 0) -> Dataset:
    """``data`` with at most so many training and test examples, 0 for all: the same for every network.

    Each ``seed`` has training examples of its own, so that what is found does not depend on which few were drawn, and
    the interval includes that chance. The test examples are the same for every seed.
    """

    def part(index: Tensor, size: int, purpose: str, seed: int) -> Tensor:
        if not 0 < size < len(index):
            return index
        return index[torch.from_numpy(stream(base, seed, purpose).permutation(len(index))[:size])]

    return dataclasses.replace(
        data,
        train=part(data.train, train_size, "training part", seed),
        test=part(data.test, test_size, "test part", 0),
    )
