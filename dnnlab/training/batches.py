"""Batches of training examples: their positions are drawn on the host, their inputs are made on the device."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from dnnlab.data.dataset import Dataset
from dnnlab.training.augmentation import Augmentation, augmentation
from dnnlab.training.recorded import Ahead

_FEW = 2**22
"""Numbers of standardised inputs that a training keeps: 16 MiB."""


def batch_order(count: int, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Positions ``[batch]`` of one batch after another, epoch after epoch; a short batch at the end of an epoch is left
    out."""
    while True:
        order = rng.permutation(count)
        yield from (order[i : i + batch_size] for i in range(0, count - batch_size + 1, batch_size))


def _draws(
    members: Sequence[tuple[Iterator[np.ndarray], Any]], change: Augmentation | None, shape: tuple[int, ...]
) -> list[np.ndarray]:
    """The random draws of one step: for each member int64 ``[example, 1 or 6]``, the position and how its image is
    changed."""
    drawn = []
    for order, noise in members:
        positions = next(order)
        draws = positions[:, None]
        if change is not None:
            draws = np.concatenate([draws, change.draws(noise, len(positions), shape[1:])], axis=1)
        drawn.append(draws)
    return drawn


class Batches:
    """The batches of one training, or with a leading member dimension those of several that are trained together.

    Args:
        data: Whose examples they are.
        orders: Of each member the positions of its batches, one after another.
        augment: How images are changed at random; tables never are.
        noise: Of each member the random numbers that change its images.
        among: The examples that positions count in, ``[example]``; the training split when not given.
        stacked: Whether batches have a member dimension.
    """

    def __init__(
        self,
        data: Dataset,
        orders: Sequence[Iterator[np.ndarray]],
        augment: str = "none",
        noise: Sequence[np.random.Generator] = (),
        among: Tensor | None = None,
        stacked: bool = False,
    ) -> None:
        self.data, self.among = data, data.train if among is None else among
        self.change = augmentation(augment) if data.x.ndim == 4 else None
        each: Sequence[Any] = noise or [None] * len(orders)
        members = list(zip(orders, each, strict=True))
        draw = functools.partial(_draws, members, self.change, data.shape)
        self._ready = self._standardised()
        self.draws = Ahead((lambda: np.stack(draw())) if stacked else (lambda: draw()[0]), data.x.device)

    def _standardised(self) -> tuple[Tensor, Tensor] | None:
        """All inputs and labels, where they never change and are few, so that a step on a CPU need only pick its
        own."""
        size = len(self.among) * self.data.features
        if self.change is not None or size > _FEW or self.data.x.device.type != "cpu":
            return None
        return self.data.inputs(self.among), self.data.y[self.among]

    def __call__(self) -> Tensor:
        """The random draws of the next step, on the device."""
        return self.draws()

    def examples(self, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Standardised inputs ``[member?, batch, *shape]`` and labels ``[member?, batch]`` of a step's draws."""
        if self._ready is not None:
            x, y = self._ready
            index = draws[..., 0]
            return x.index_select(0, index.flatten()).view(*index.shape, *x.shape[1:]), y[index]
        index = self.among[draws[..., 0]]
        x = self.data.x[index]
        if self.change is not None:
            images = x.flatten(0, -4)
            x = self.change.changed(images, draws[..., 1:].reshape(len(images), -1)).view(x.shape)
        return self.data.standardised(x), self.data.y[index]
