"""How many units chance alone leaves dead at birth: single units on given data, and whole networks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from dnnlab.networks import initialisers
from dnnlab.networks.activations import activation
from dnnlab.networks.meanfield import moments, pair_moments
from dnnlab.networks.shape import MLPShape

_DEPTHS = np.linspace(-12, 12, 8001)
"""The nodes of the integral over the shared part of a unit's inputs, in standard deviations."""


@dataclass(frozen=True)
class Inputs:
    """What theory needs to know of the inputs on which a dead unit is zero.

    A hundred standardised inputs that have nothing to do with each other:

    >>> from dnnlab.theory import Inputs
    >>> Inputs(mean_square=1.0, mean_product=0.0, count=100)
    Inputs(mean_square=1.0, mean_product=0.0, count=100)
    """

    mean_square: float
    """The mean square of a feature."""
    mean_product: float
    """The mean over features, and over all pairs of inputs, of the product of the two."""
    count: int
    """How many inputs there are."""


def silent_probability(correlation: float, count: int) -> float:
    """The probability that ``count`` standard normals, any two of them of ``correlation``, are all below zero.

    They share a part √c·t, so it is E_t Φ(-√(c/(1-c))·t)^count; under no correlation 2^-count.
    """
    c = min(max(correlation, 0.0), 1 - 1e-12)
    density = np.exp(-(_DEPTHS**2) / 2) / math.sqrt(2 * math.pi)
    below = np.exp(count * log_ndtr(-math.sqrt(c / (1 - c)) * _DEPTHS))
    return float(np.trapezoid(below * density, _DEPTHS))


def expected_dead(shape: MLPShape, init: str, inputs: Inputs) -> list[float]:
    """The share of units that chance leaves dead at initialisation, of each hidden layer.

    A unit of a wide random layer is a Gaussian process over the inputs. Its correlation follows the recursion of Poole
    2016 (arXiv:1606.05340). The unit is dead where all of it is below zero. The share is 0 where the activation is
    never zero, or where batch normalisation centres every unit. It is nan where the recursion does not hold: for
    ``rai``, and with highway and dense skips.

    Args:
        shape: What the network looks like.
        init: One of `dnnlab.networks.INITIALISERS`.
        inputs: The inputs on which a dead unit is zero.

    Raises:
        UsageError: ``critical`` was asked of an activation that has no critical point.

    On three uncorrelated inputs, a unit of the first layer is dead with the chance 1/2 · 1/2 · 1/2:

    >>> from dnnlab.networks import MLPShape
    >>> from dnnlab.theory import Inputs, expected_dead
    >>> shape = MLPShape(inputs=64, classes=10, depth=2, width=100, acts=("relu", "relu"))
    >>> first, second = expected_dead(shape, "he", Inputs(mean_square=1.0, mean_product=0.0, count=3))
    >>> f"{first:.3f}"
    '0.125'
    """
    edges = [activation(act).zero_up_to for act in shape.acts]
    if shape.norm == "batch" or all(edge is None for edge in edges):
        return [0.0] * shape.depth
    if init == "rai" or shape.skip.kind in ("highway", "dense") or any(edge not in (None, 0.0) for edge in edges):
        return [math.nan] * shape.depth
    fractions = []
    for correlation, edge in zip(correlations(shape, init, inputs), edges, strict=True):
        fractions.append(0.0 if edge is None else silent_probability(correlation, inputs.count))
    return fractions


def correlations(shape: MLPShape, init: str, inputs: Inputs) -> list[float]:
    """Mean correlation of two inputs at the pre-activation of layers 1 … depth, of a plain or residual network."""
    square = product = math.nan
    result = []
    for layer in range(1, shape.depth + 1):
        fan_in = shape.fan_in(layer)
        var = initialisers.variances(init, fan_in, shape.fan_out(layer), *shape.neighbours(layer))
        weight = fan_in * var.weight
        if layer == 1:
            square = weight * inputs.mean_square + var.bias
            product = weight * inputs.mean_product + var.bias
        else:
            act = shape.acts[layer - 2]
            q = 1.0 if shape.norm == "layer" else square
            c = min(max(product / square, -1.0), 1.0)
            branch = weight * moments(act, q).square + var.bias, weight * pair_moments(act, q, c).product + var.bias
            if shape.skip.kind == "residual":
                square += shape.skip.scale**2 * branch[0]
                product += shape.skip.scale**2 * branch[1]
            else:
                square, product = branch
        result.append(product / square)
    return result


def born_dead_bounds(widths: Sequence[int], init: str) -> tuple[float, float]:
    """Bounds of the chance that a ReLU network with one input is born dead: a layer of it is zero everywhere.

    The upper bound: where weights and biases are symmetric about zero, an input passes a layer of N units with the
    chance 1 - 2^-N, so that P ≤ 1 - ∏(1 - 2^-N_l) (Rister & Rubin 2020; Lu 2019, arXiv:1903.06733). The lower bound is
    of Lu 2019, theorem 3, for layers of one width with independent weights and no biases. A bound that does not hold is
    nan.

    Args:
        widths: Units of each hidden layer.
        init: One of `dnnlab.networks.INITIALISERS`.

    Two layers of two units, for which 1 - (1 - 1/4)² = 0.4375:

    >>> from dnnlab.theory import born_dead_bounds
    >>> lower, upper = born_dead_bounds([2, 2], "he")
    >>> upper
    0.4375
    """
    if init == "rai":
        return math.nan, math.nan
    upper = 1 - math.prod(1 - 2.0**-width for width in widths)
    if init.partition(":")[0] not in ("he", "xavier", "lecun", "normal") or len(set(widths)) > 1:
        return math.nan, upper
    p, n, layers = 2.0 ** -widths[0], widths[0], len(widths) - 1
    both = 1 - p
    one = 1 - 2 * p - (n - 1) * p * p
    share = (1 - 2 * p) * (1 - p) / (1 + (n - 1) * p)
    return 1 - both**layers + share * (one**layers - both**layers), upper


def width_for(probability: float, layers: int) -> float:
    """The width from which on networks of so many hidden layers are born dead with at most this probability.

    From the upper bound: L·2^-N ≤ probability.
    """
    return math.log2(layers / probability)
