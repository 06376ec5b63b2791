"""A part of a data set, the same for every network and seed."""

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


def part_of(data: Dataset, train_size: int, test_size: int, base: int) -> Dataset:
    """``data`` with at most so many training and test examples, 0 for all: the same for every network and seed."""

    def part(index: Tensor, size: int, purpose: str) -> Tensor:
        if not 0 < size < len(index):
            return index
        return index[torch.from_numpy(stream(base, 0, purpose).permutation(len(index))[:size])]

    return dataclasses.replace(
        data,
        train=part(data.train, train_size, "training part"),
        test=part(data.test, test_size, "test part"),
    )
