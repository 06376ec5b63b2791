"""Tabulated expectations against the quadrature that they are made of."""

import math

import numpy as np
import pytest

from dnnlab.networks.meanfield import moments, pair_moments
from dnnlab.theory.tables import Series, gates, powers, series


@pytest.mark.parametrize("act", ["relu", "tanh", "gelu", "Hardswish", "Softplus"])
def test_between_its_nodes_a_table_is_right(act):
    ts = np.random.default_rng(0).uniform(-20, 20, 50)
    found = powers(act)(ts)
    exact = [moments(act, math.exp(t)) for t in ts]
    np.testing.assert_allclose(found, np.log([[m.square, m.slope2] for m in exact]).T, atol=1e-5)


@pytest.mark.parametrize("t", [-500.0, 500.0])
def test_beyond_its_ends_a_table_goes_on_as_a_power(t):
    square, slope2 = powers("relu")(np.array([t]))
    assert square[0] == pytest.approx(t - math.log(2))
    assert slope2[0] == pytest.approx(-math.log(2))


@pytest.mark.parametrize("act", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("c", [-0.5, 0.0, 0.3, 0.9, 1.0])
def test_a_series_gives_the_products_over_pairs(act, c):
    exact = pair_moments(act, 1.0, c)
    product, slopes, _, slopes2, _ = (series(act)(np.zeros(1))[0, :5] * c**Series.exponents).sum(-1)
    assert product == pytest.approx(exact.product, abs=1e-4)
    assert slopes == pytest.approx(exact.slopes, abs=1e-3)
    assert slopes2 == pytest.approx(exact.slopes2, abs=1e-3)


def test_a_series_has_the_hermite_coefficients_of_squares():
    """ReLU: E z φ² = 2/√(2π), and E (z² - 1) φ²/√2 = 1/√2."""
    _, first, second, *_ = series("relu")(np.zeros(1))[0, 5]
    assert first == pytest.approx(2 / math.sqrt(2 * math.pi))
    assert second == pytest.approx(1 / math.sqrt(2))


@pytest.mark.parametrize("variance", [1.0, 100.0, 1e6])
def test_a_gates_slope_is_found_however_narrow_it_is(variance):
    t = np.linspace(-60, 60, 400_001)
    density = np.exp(-((t + 2) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    slope = 1 / (2 + np.exp(t) + np.exp(-t))  # of the sigmoid
    expected = np.trapezoid(slope**2 * density, t)
    assert np.exp(gates()(np.array([math.log(variance)]))[2, 0]) == pytest.approx(expected, rel=1e-4)


def test_a_gate_that_does_not_vary_is_the_sigmoid_of_its_bias():
    opened, carried, turned, fourth = np.exp(gates()(np.array([-60.0])))[:, 0]
    t = 1 / (1 + math.exp(2))
    assert (opened, carried) == pytest.approx((t**2, (1 - t) ** 2), rel=1e-6)
    assert (turned, fourth) == pytest.approx(((t * (1 - t)) ** 2, (t * (1 - t)) ** 4), rel=1e-6)
