"""Counts whole networks born dead: many narrow, deep ReLU networks of one input, run as one tensor program."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from dnnlab.dead_relu.born.plan import BornCell
from dnnlab.dead_relu.spec import Spec
from dnnlab.networks import initialisers
from dnnlab.runner.journal import Rows
from dnnlab.statistics.streams import stream

BLOCKS = 20
"""The number of blocks in which the networks of a point are counted, so that two runs can be compared."""
_GRID = 65
_EDGE = math.sqrt(3)  # of inputs of unit variance, uniform, as Lu 2019 draws them


def measure(cells: Sequence[BornCell], spec: Spec, device: str, progress: Callable[[float], None]) -> Rows:
    """One row per block of networks: how many there are and how many are dead.

    A network is dead when a layer of it is zero on every input of [-√3, √3]. Without biases one input a side
    decides; with biases a grid does, which may miss a network that is alive between its points.
    """
    (cell,) = cells
    rows: Rows = {"cell": [], "block": [], "drawn": [], "dead": []}
    rng = stream(spec.seed, 0, f"born {cell.init} {cell.depth} {cell.width}")
    for block in range(BLOCKS):
        drawn = cell.nets * (block + 1) // BLOCKS - cell.nets * block // BLOCKS
        dead = int(born_dead(rng, drawn, cell).sum())
        for name, value in (("cell", 0), ("block", block), ("drawn", drawn), ("dead", dead)):
            rows[name].append(value)
        progress((block + 1) / BLOCKS)
    return rows


def born_dead(rng: np.random.Generator, count: int, cell: BornCell) -> np.ndarray:
    """Which of ``count`` fresh networks are dead, bool ``[network]``."""
    homogeneous = cell.init != "rai" and initialisers.variances(cell.init, 1, 1, None, "relu").bias == 0
    inputs = np.array([-1.0, 1.0]) if homogeneous else np.linspace(-_EDGE, _EDGE, _GRID)
    h = np.broadcast_to(inputs[:, None], (count, len(inputs), 1))
    dead = np.zeros(count, dtype=bool)
    for layer in range(1, cell.depth + 1):
        fan_in, after = (1, None) if layer == 1 else (cell.width, "relu")
        weight, bias = initialisers.draw(cell.init, rng, fan_in, cell.width, after, "relu", lead=(count,))
        h = np.maximum(h @ weight + bias[:, None, :], 0)
        largest = h.max(axis=(1, 2), keepdims=True)
        dead |= largest[:, 0, 0] == 0
        if homogeneous:  # only the direction matters then, and a length of 1 keeps deep networks from underflow
            h = h / np.where(largest == 0, 1.0, largest)
    return dead
