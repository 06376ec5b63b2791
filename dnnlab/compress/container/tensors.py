"""How a tensor lies in a container, as both writer and reader know it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnnlab.compress.container.mixing import Ints
from dnnlab.compress.container.planes import Layout

MAGIC = b"DNNZ"
VERSION = 1
RAW, SPARSE, SHARED = 0, 1, 2
"""The kinds of tensors: all values in full; only those that are not zero in full; a codebook and a number for each."""
PACKED, CODED = 0, 1
"""How the numbers of a codebook are written: with a fixed number of bits each, or entropy-coded."""
DTYPES = tuple(np.dtype(name) for name in ("<f4", "<f2", "<f8", "<i8", "<i4", "<i2", "|i1", "|u1", "|b1"))
MOST = 1 << 32
"""The most elements of a tensor; a file that claims more is refused."""


@dataclass(frozen=True)
class Layer:
    """The size of one tensor in a container."""

    name: str
    shape: tuple[int, ...]
    kind: int
    nonzeros: int
    levels: int
    """Entries of its codebook; 0 where it has none."""
    bits: float
    """Bits that it takes: its index and numbers, and its values in full where it has no codebook."""
    bound: float
    """Bits that the same tensor would take by the entropy of its numbers, without contexts."""

    @property
    def bits_per_weight(self) -> float:
        return self.bits / max(1, math.prod(self.shape))

    @property
    def bound_per_weight(self) -> float:
        return self.bound / max(1, math.prod(self.shape))


def matrix_shape(shape: Sequence[int]) -> tuple[int, int]:
    """The shape of a tensor as a matrix ``(rows, columns)``, one row per output unit; a vector is one row."""
    if len(shape) < 2:
        return 1, math.prod(shape)
    return shape[0], math.prod(shape[1:])


def layout(shape: Sequence[int], width: int, before: Ints | None) -> Layout:
    """How the columns of a tensor lie, ``width`` places per line, when the matrix before had the row counts
    ``before``."""
    _, columns = matrix_shape(shape)
    feeding = np.full(columns, -1, dtype=np.int64)
    maps = 0
    if before is not None and len(before) and columns and columns % len(before) == 0:
        maps = columns // len(before)
        feeding = np.repeat(before, maps)
    if len(shape) == 4:
        return Layout(max(1, shape[3]), max(1, shape[2]), feeding)
    places = maps or columns
    height = max(1, places // width) if width > 1 else max(1, columns)
    return Layout(width, height, feeding)


def bits_of(values: NDArray[Any]) -> NDArray[Any]:
    """The same memory as unsigned whole numbers: only the bits tell -0 from 0 and one NaN from another."""
    return values.view(np.dtype(f"<u{values.dtype.itemsize}"))
