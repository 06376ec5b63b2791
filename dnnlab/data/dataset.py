"""The form that every data set has once it is loaded."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnnlab.data.splits import Split


@dataclass(frozen=True)
class Content:
    """The content of a data set, as a reader gives it."""

    x: NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.int64]
    """``[n, channel, height, width]`` bytes; ``[n, feature]`` floats of a table, standardised by `standardise`; drawn
    floats ``[n, …]`` of any shape, which are not standardised; or ``[n, length]`` tokens, which are int64."""
    y: NDArray[np.int64]
    """Labels ``[n]``, each from 0 to ``len(classes) - 1``."""
    split: Split
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """Changes to the data that its owner may not expect, one sentence each."""
    moments: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    """The mean and the standard deviation ``[feature]`` by which a table has been standardised."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory, on one device.

    ``x`` keeps images as bytes, a quarter of their size as floats; `inputs` standardises what a step needs. A table is
    standardised before it is rounded to float32: numbers such as 10,000,000.5 are not float32, and their differences
    are.
    """

    name: str
    digest: str
    x: Tensor
    """``[n, channel, height, width]`` uint8 for images, ``[n, feature]`` float32 for tables, standardised; ``[n, …]``
    float32 for drawn numbers, ``[n, length]`` int64 for tokens."""
    y: Tensor
    """``[n]`` int64, indices into ``classes``."""
    train: Tensor
    """int64 indices, as ``validation`` and ``test``: disjoint, ascending, always the same."""
    validation: Tensor
    test: Tensor
    classes: tuple[str, ...]
    mean: Tensor
    """Over the training split: ``[channel]`` float32 in the units of ``x`` for images; ``[feature]`` float64 in the
    units of the file for tables. 0 where nothing is standardised, as of drawn numbers and tokens."""
    std: Tensor
    """Population standard deviation, in the shape and dtype of ``mean``; 1 where nothing varies or is standardised."""
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input: ``(channel, height, width)`` or ``(feature,)``."""
        return tuple(self.x.shape[1:])

    @property
    def features(self) -> int:
        """The number of values in one input."""
        return math.prod(self.shape)

    @property
    def tokens(self) -> bool:
        """Whether inputs are tokens: whole numbers that are not computed with."""
        return self.x.dtype == torch.int64

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of what a network gets: int64 for tokens, else float32."""
        return torch.int64 if self.tokens else torch.float32

    def inputs(self, index: Tensor) -> Tensor:
        """The standardised inputs of the examples ``index``.

        Args:
            index: int64 of any shape, such as ``[batch]`` or ``[member, batch]``.

        Returns:
            float32 ``[*index, *shape]``; int64 for tokens, which are as they are.
        """
        return self.standardised(self.x[index])

    def standardised(self, x: Tensor) -> Tensor:
        """``(x - mean) / std`` of images in the units of ``x``, float32 ``[…, *shape]``; everything else as it is."""
        if self.x.dtype != torch.uint8:
            return x
        each = (-1, *[1] * (len(self.shape) - 1))
        return (x.float() - self.mean.view(each)) / self.std.view(each)

    def box(self) -> tuple[Tensor, Tensor]:
        """The smallest and the largest standardised value of each feature over the training split, ``[*shape]``."""
        parts = [self.x[part] for part in self.train.split(4096)]
        low = torch.stack([part.amin(0) for part in parts]).amin(0)
        high = torch.stack([part.amax(0) for part in parts]).amax(0)
        return self.standardised(low), self.standardised(high)

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data with every tensor that a step needs on ``device``. ``mean`` and ``std`` of a table stay, since
        Apple's GPUs have no float64."""
        tensors: dict[str, Any] = {
            field.name: value.to(device)
            for field in dataclasses.fields(self)
            if isinstance(value := getattr(self, field.name), Tensor) and value.dtype != torch.float64
        }
        return dataclasses.replace(self, **tensors)


def assemble(name: str, digest: str, content: Content) -> Dataset:
    """The data set ``name`` from what its reader gave; mean and std come from its training split alone."""
    mean, std = _moments(content)
    return Dataset(
        name=name,
        digest=digest,
        x=torch.from_numpy(np.ascontiguousarray(content.x)),
        y=torch.from_numpy(np.ascontiguousarray(content.y)),
        train=torch.from_numpy(np.ascontiguousarray(content.split.train)),
        validation=torch.from_numpy(np.ascontiguousarray(content.split.validation)),
        test=torch.from_numpy(np.ascontiguousarray(content.split.test)),
        classes=content.classes,
        mean=torch.from_numpy(mean),
        std=torch.from_numpy(std),
        notes=content.notes,
    )


def standardise(
    values: NDArray[Any], train: NDArray[np.int64], place: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.float32], float, float]:
    """One feature with mean 0 and standard deviation 1 over its training split.

    All is computed from the differences to one of the values, which are exact where the values themselves are too
    large for 64 bits, and in multiples of the largest of them, whose squares are no smaller than float64 holds.

    Args:
        values: integers, floats or booleans ``[n]``.
        train: indices of the training split.
        place: where the result is put, float32 ``[n]``; a new array when not given.

    Returns:
        ``(values - mean) / std`` ``[n]``, rounded to float32 at the end, infinite where that is too large for it; the
        mean; and the population standard deviation, which is 1 where nothing varies.
    """
    whole = values.dtype.kind in "iu" and int(values.max()) - int(values.min()) < 2**63
    values = values if whole else values.astype(np.float64)
    if whole:  # in the width that holds their differences
        values = values.astype(np.uint64 if values.dtype.kind == "u" else np.int64)
    base = values[train[0]]
    # Differences of unsigned numbers wrap around, and are right as signed ones.
    steps = (values - base).astype(np.int64).astype(np.float64) if whole else values - base
    unit = float(np.abs(steps[train]).max()) or 1.0
    with np.errstate(over="ignore"):
        steps /= unit
        center, spread = steps[train].mean(), steps[train].std() or 1.0
        result = np.empty(len(steps), np.float32) if place is None else place
        result[:] = (steps - center) / spread
    return result, float(base) + center * unit, spread * unit


def _moments(content: Content) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Mean and population standard deviation, ``[channel]`` or ``[feature]``."""
    if content.moments is not None:
        return content.moments
    x, train = content.x, content.split.train
    width = x.shape[1]
    if x.dtype != np.uint8:
        return np.zeros(width, np.float32), np.ones(width, np.float32)
    # Images by their histogram: exact whatever the order of summation, and without a copy as floats.
    levels = np.arange(256.0)
    histogram = np.zeros((width, 256))
    for start in range(0, len(train), 4096):
        block = x[train[start : start + 4096]]
        histogram += [np.bincount(block[:, channel].ravel(), minlength=256) for channel in range(width)]
    weight = histogram / histogram.sum(axis=1, keepdims=True)
    mean = weight @ levels
    std = np.sqrt((weight * (levels - mean[:, None]) ** 2).sum(axis=1))
    return mean.astype(np.float32), np.where(std == 0, 1.0, std).astype(np.float32)
