"""Networks without batch normalisation that differ in numbers alone, as arrays: the recursion of the mean square q.

It is that of Poole 2016 (arXiv:1606.05340), with layer normalisation, residual branches, highway gates and dense
concatenation added. All of it is in logarithms, so that no depth leaves the range of floats.
"""

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from dnnlab.networks import initialisers
from dnnlab.networks.shape import NORM_EPS
from dnnlab.theory import tables
from dnnlab.theory.setting import Setting


def form(setting: Setting) -> Hashable:
    """What the networks of one `Alike` have in common."""
    shape = setting.shape
    return shape.acts, shape.norm, shape.skip.kind, setting.batch_size


class Alike:
    """Settings of one `form`. Arrays start with the dimension ``[setting]``."""

    def __init__(self, settings: Sequence[Setting]) -> None:
        self.settings, self.shape = settings, settings[0].shape
        self.depth, self.kind, self.norm = self.shape.depth, self.shape.skip.kind, self.shape.norm
        self.batch = settings[0].batch_size
        self.keep = self._of(lambda s: 1 - s.dropout)
        self.width = self._of(lambda s: s.shape.width)
        self.classes = self._of(lambda s: s.shape.classes)
        self.scale = self._of(lambda s: s.shape.skip.scale**2)
        # Of the blocks of a wider orthogonal matrix none is orthogonal.
        self.orthogonal = self._of(lambda s: s.init == "orthogonal" and self.kind != "dense")
        layers = range(1, self.depth + 2)
        fans = np.array([[s.shape.inputs, *[s.shape.width] * self.depth] for s in settings])
        var = [[_variances(s, layer) for layer in layers] for s in settings]
        self.weight = fans * np.array([[each.weight for each in row] for row in var])
        """σw² of the layers 1 … depth + 1 for each block of units that they read, ``[setting, layer]``."""
        self.bias = np.array([[each.bias for each in row] for row in var])
        """σb², ``[setting, layer]``."""
        gates = [[_variances(s, layer, gate=True).weight for layer in layers] for s in settings]
        self.gate = self.width[:, None] * np.array(gates)
        """σw² of the gates, ``[setting, layer]``."""

    def _of(self, value: Callable[[Setting], float]) -> np.ndarray:
        return np.array([float(value(setting)) for setting in self.settings])

    def read(self, x: np.ndarray) -> np.ndarray:
        """ln of the mean square that an activation reads, where pre-activations have exp ``x``."""
        return x - np.logaddexp(x, math.log(NORM_EPS)) if self.norm == "layer" else x

    def normaliser(self, x: np.ndarray) -> np.ndarray:
        """ln of 1/σ² of the normalisation."""
        return -np.logaddexp(x, math.log(NORM_EPS)) if self.norm == "layer" else np.zeros_like(x)

    def branch(self, layer: int, activated: Sequence[np.ndarray]) -> np.ndarray:
        """ln of the mean square of W h + b in ``layer``, where ``activated`` are those of all activations before it."""
        reads = np.logaddexp.reduce(activated, axis=0) if self.kind == "dense" else activated[-1]
        like = reads.ndim
        return np.logaddexp(
            np.log(lift(self.weight[:, layer - 1], like)) + reads, log(lift(self.bias[:, layer - 1], like))
        )

    def connect(self, layer: int, x: np.ndarray, branch: np.ndarray) -> np.ndarray:
        """x of ``layer`` from that of the layer before, and its ``branch``."""
        if self.kind == "residual":
            return np.logaddexp(x, np.log(lift(self.scale, x.ndim)) + branch)
        if self.kind == "highway":
            opened, carried, *_ = self.gates(layer, x)
            return np.logaddexp(opened + branch, carried + x)
        return branch

    def gates(self, layer: int, x: np.ndarray) -> np.ndarray:
        """ln of E T², E (1 - T)², E T'² and E T'⁴ of the gate of ``layer``, which reads the layer before."""
        return tables.gates()(np.log(lift(self.gate[:, layer - 1], x.ndim)) + x)

    def carried(self, layer: int, x: np.ndarray, following: np.ndarray) -> np.ndarray:
        """The share of the power ``following`` of ``layer`` that came through the skip."""
        if self.kind == "residual":
            return np.exp(x - following)
        if self.kind == "highway":
            return np.exp(self.gates(layer, x)[1] + x - following)
        return np.zeros_like(x)


def lift(values: np.ndarray, dimensions: int) -> np.ndarray:
    """``values [setting]`` with so many dimensions."""
    return values.reshape(-1, *[1] * (dimensions - 1))


def log(values: np.ndarray) -> np.ndarray:
    """The logarithm, which of 0 is -inf."""
    with np.errstate(divide="ignore"):
        return np.log(values)


def _variances(setting: Setting, layer: int, gate: bool = False) -> initialisers.Variances:
    shape = setting.shape
    fans = (shape.width, shape.width) if gate else (shape.fan_in(layer), shape.fan_out(layer))
    return initialisers.variances(setting.init, *fans, *shape.neighbours(layer))
