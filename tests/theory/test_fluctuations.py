"""Fluctuations of layers of N units against layers that are drawn."""

import math

import numpy as np
import pytest

from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.theory.alike import Alike
from dnnlab.theory.fluctuations import fluctuations
from dnnlab.theory.setting import InputStatistics, Setting

WIDTH, BATCH, C = 200, 6, 0.6


def first_layer(act, norm="none", skip="none", depth=3):
    """Of a batch whose inputs all have the correlation C."""
    shape = MLPShape(100, 10, depth, WIDTH, (act,) * depth, norm, parse_skip(skip))
    return fluctuations(Alike([Setting(shape, "lecun", InputStatistics(1.0, 1 - C), BATCH)]))[0]


def drawn(draws=4000):
    """Pre-activations ``[draw, unit, example]`` of such a batch."""
    rng = np.random.default_rng(0)
    shared, own = rng.standard_normal((draws, WIDTH, 1)), rng.standard_normal((draws, WIDTH, BATCH))
    return math.sqrt(C) * shared + math.sqrt(1 - C) * own


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_the_mean_square_of_an_activation_fluctuates_in_common_and_alone(norm):
    y = drawn()
    if norm == "layer":
        y = (y - y.mean(1, keepdims=True)) / y.std(1, keepdims=True)
    logs = np.log((np.maximum(y, 0) ** 2).mean(axis=1))  # [draw, example]
    found = first_layer("relu", norm)
    assert found.common[0] == pytest.approx(logs.mean(axis=1).std(), rel=0.05)
    apart = logs - logs.mean(axis=1, keepdims=True)
    assert found.own[0] ** 2 == pytest.approx((apart**2).mean(), rel=0.1)


def test_units_with_large_squares_have_steep_slopes():
    """The covariance of ln of the means of φ² and of φ'², over the standard deviation of the first."""
    y = drawn()
    squares = np.log((np.maximum(y, 0) ** 2).mean(axis=1)).mean(axis=1)
    slopes = np.log((y > 0).mean(axis=1)).mean(axis=1)
    expected = np.cov(squares, slopes)[0, 1] / squares.std()
    # Gradients weight the one-example class more than the plain mean does, here by little.
    assert first_layer("relu").tied[0] == pytest.approx(expected, rel=0.15)


def test_one_relu_layer_gains_five_over_n():
    shape = MLPShape(100, 10, 3, WIDTH, ("relu",) * 3)
    found = fluctuations(Alike([Setting(shape, "he", InputStatistics(1.0, 0.0), 1)]))[1]
    assert found.fresh[0] + found.frozen[0] + found.tied[0] ** 2 == pytest.approx(5 / WIDTH)


def test_a_skip_carries_units_on():
    """Under LeCun's initialisation, y_2 = y_1 + 0.5 W φ(y_1): of its power 1 + 0.25 E φ² came from y_1."""
    found = first_layer("relu", skip="residual:0.5")
    assert found.carried[0] == pytest.approx(1 / (1 + 0.25 / 2))
    assert first_layer("relu").carried[0] == 0


def test_without_a_skip_the_loss_pulls_nothing():
    assert first_layer("relu").pulled[0] == 0
    assert first_layer("relu", skip="residual").pulled[0] > 0
