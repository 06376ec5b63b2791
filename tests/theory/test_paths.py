"""The recursions at infinite width against the same recursion for each of many inputs, and known fluctuations."""

import math

import numpy as np
import pytest

from dnnlab.networks.meanfield import moments
from dnnlab.networks.shape import MLPShape
from dnnlab.theory.paths import Paths
from dnnlab.theory.setting import InputStatistics, Setting, slope_weights

DEPTH, FEATURES = 12, 16


def setting(act, weight, width=10**6, batch=10_000, norm="none", depth=DEPTH):
    shape = MLPShape(FEATURES, 10, depth, width, (act,) * depth, norm)
    told = InputStatistics(1.0, 1.0, math.sqrt(2 / FEATURES), math.sqrt(1 / FEATURES))
    return Setting(shape, f"normal:{math.sqrt(weight / width)}", told, batch)


@pytest.mark.parametrize("act", ["relu", "tanh", "swish", "gelu", "Hardswish"])
@pytest.mark.parametrize("weight", [1.5, 2.5])
def test_inputs_of_larger_norm_carry_a_gradient_that_dies_out(act, weight):
    """One recursion for each of 200 inputs, whose mean squares are a gamma distribution, and the mean of ‖δ_l‖²."""
    chosen = setting(act, weight)
    first = weight / chosen.shape.width * FEATURES  # normal:STD has one variance whatever the fan
    squares = np.random.default_rng(0).gamma(FEATURES / 2, 2 / FEATURES, 200)
    logs = np.zeros((len(squares), DEPTH))
    for row, square in zip(logs, squares, strict=True):
        q, chis = first * square, []
        for _ in range(DEPTH):
            m = moments(act, float(q))
            chis.append(weight * m.slope2)
            q = weight * m.square
        row[:] = np.cumsum(np.log(chis)[::-1])[::-1]
    expected = np.log(np.exp(logs).mean(axis=0)) / 2
    found = Paths([chosen]).predict()[0]
    assert found.log_rate == pytest.approx(float(slope_weights(DEPTH) @ expected), abs=0.01)


def test_one_input_fluctuates_by_five_over_n():
    """Hanin & Nica 2019: the slope of a random walk whose steps of ln‖δ‖ have the variance 5/4N."""
    width = 256
    found = Paths([setting("relu", 2.0, width, batch=1)]).predict()[0]
    entering = np.cumsum(slope_weights(DEPTH))[:-1]
    assert found.spread == pytest.approx(math.sqrt((entering**2).sum() * 5 / 4 / width), rel=0.02)
    assert found.log_rate == pytest.approx(-5 / 4 / width, rel=0.02)


def test_a_batch_fluctuates_less_than_one_input():
    one, many = (Paths([setting("relu", 2.0, 256, batch=batch)]).predict()[0] for batch in (1, 128))
    assert many.spread < 0.8 * one.spread


def test_orthogonal_weights_without_an_activation_change_nothing():
    shape = MLPShape(FEATURES, 10, DEPTH, FEATURES, ("linear",) * DEPTH)
    told = InputStatistics(1.0, 1.0, math.sqrt(2 / FEATURES), math.sqrt(1 / FEATURES))
    found = Paths([Setting(shape, "orthogonal", told, 32)]).predict()[0]
    assert found.log_rate == pytest.approx(0, abs=1e-9)
    assert found.spread == pytest.approx(0, abs=1e-9)
    assert 0 < found.standard_error(5) < 1e-4  # z divides by it
