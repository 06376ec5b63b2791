"""What theory is asked about, and what it answers."""

import math
from dataclasses import dataclass

import numpy as np

from dnnlab.networks.shape import MLPShape

OUT_OF_RANGE = "pre-activations or gradients leave the range of numbers"
"""Why nothing is predicted."""


@dataclass(frozen=True)
class InputStatistics:
    """What theory needs to know of the inputs of a network, each averaged over features.

    Inputs that are standardised have both near 1:

    >>> from dnnlab.theory import InputStatistics
    >>> InputStatistics(mean_square=1.0, variance=1.0)
    InputStatistics(mean_square=1.0, variance=1.0, square_spread=0.0, product_spread=0.0)
    """

    mean_square: float
    """The mean square of a feature."""
    variance: float
    """Over the batch, unbiased. It is less than the mean square where features have a mean."""
    square_spread: float = 0.0
    """The standard deviation of the mean square of an input, over inputs."""
    product_spread: float = 0.0
    """The standard deviation of the mean product of two inputs, over pairs of inputs."""


@dataclass(frozen=True)
class Setting:
    """A fully connected network at initialisation, and what it reads: what `predict_gradients` is asked about.

    >>> from dnnlab.networks import MLPShape
    >>> from dnnlab.theory import InputStatistics, Setting
    >>> shape = MLPShape(inputs=64, classes=10, depth=20, width=100, acts=("sigmoid",) * 20)
    >>> setting = Setting(shape, "xavier", InputStatistics(1.0, 1.0), batch_size=128)
    >>> setting.dropout
    0.0
    """

    shape: MLPShape
    """What the network looks like."""
    init: str
    """One of `dnnlab.networks.INITIALISERS`."""
    inputs: InputStatistics
    """What is known of its inputs."""
    batch_size: int
    """Examples in a batch."""
    dropout: float = 0.0
    """The probability that a unit is dropped."""


@dataclass(frozen=True)
class Prediction:
    """What theory expects of the norm of δ_l, the gradient of the loss at the output of layer l."""

    log_delta: np.ndarray
    """The expected ln‖δ_l‖ of layers 1 … depth, up to a constant, ``[depth]``."""
    log_rate: float
    """The logarithm of the factor from a layer to the one before it: the slope of a line through ``log_delta``."""
    spread: float
    """The standard deviation of one network's log rate, over random weights."""
    error: float
    """The standard error of theory itself at this width and batch size."""

    def standard_error(self, seeds: int) -> float:
        """The standard error of a mean log rate over ``seeds``. What is chance shrinks with their number, theory's own
        error does not."""
        return math.hypot(self.spread / math.sqrt(seeds), self.error)


def slope_weights(depth: int) -> np.ndarray:
    """Weights ``[depth]`` whose product with ln‖δ_l‖, l = 1 … depth, is the least-squares log rate.

    The rate is the factor from a layer to the one *before* it, so it counts layers downwards; one layer has none, nan.
    """
    if depth < 2:
        return np.full(depth, math.nan)
    layers = np.arange(depth, dtype=float)
    centred = layers - layers.mean()
    weights: np.ndarray = -centred / (centred**2).sum()
    return weights
