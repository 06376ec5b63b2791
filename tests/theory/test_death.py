"""What chance leaves dead at birth: closed forms, published figures, and networks that are really drawn."""

import math

import numpy as np
import pytest
import torch

from dnnlab.dead_relu.born.measure import born_dead
from dnnlab.dead_relu.born.plan import BornCell
from dnnlab.instruments.census import take
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.networks.stacked import StackedMLP
from dnnlab.theory.death import (
    Inputs,
    born_dead_bounds,
    correlations,
    expected_dead,
    silent_probability,
    width_for,
)


def shape(depth, width=500, inputs=20, act="relu", norm="none", skip="none"):
    return MLPShape(inputs, 10, depth, width, (act,) * depth, norm, parse_skip(skip))


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_independent_normals_are_all_negative_with_chance_two_to_the_minus_n(count):
    assert silent_probability(0.0, count) == pytest.approx(2.0**-count, rel=1e-6)


@pytest.mark.parametrize("c", [0.0, 0.3, 0.8, 0.99])
def test_two_normals_follow_sheppards_formula(c):
    """P(both < 0) = 1/4 + arcsin(c)/2π (Sheppard 1899)."""
    assert silent_probability(c, 2) == pytest.approx(0.25 + math.asin(c) / (2 * math.pi), rel=1e-5)


def test_many_correlated_normals_against_monte_carlo():
    rng, c, count = np.random.default_rng(0), 0.7, 50
    z = math.sqrt(c) * rng.standard_normal((200_000, 1)) + math.sqrt(1 - c) * rng.standard_normal((200_000, count))
    assert silent_probability(c, count) == pytest.approx(float((z < 0).all(axis=1).mean()), abs=2e-3)


def test_correlation_follows_the_arc_cosine_kernel():
    """He-ReLU: c' = (√(1 - c²) + c(π - arccos c))/π (Cho & Saul 2009)."""
    found = correlations(shape(6), "he", Inputs(1.0, 0.2, 100))
    expected = [0.2]
    for _ in range(5):
        c = expected[-1]
        expected.append((math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_residual_stream_decorrelates_more_slowly():
    plain = correlations(shape(10), "he", Inputs(1.0, 0.1, 100))
    residual = correlations(shape(10, skip="residual:0.3"), "he", Inputs(1.0, 0.1, 100))
    assert residual[-1] < plain[-1]


def test_expected_dead_units_against_networks_that_are_drawn():
    """Input dimension 20, 1000 inputs, width 500: layers 10, 20 and 30."""
    predicted = expected_dead(shape(30), "he", Inputs(1.0, 0.0, 1000))
    dead = []
    for seed in range(4):
        rng = np.random.default_rng([7, seed])
        stack = StackedMLP.draw(shape(30), ["he"], [rng])
        x = torch.from_numpy(rng.standard_normal((1000, 20))).float()
        dead.append([float(census.dead.double().mean()) for census in take(stack, x)])
    measured = np.mean(dead, axis=0)
    for layer in (10, 20, 30):
        assert predicted[layer - 1] == pytest.approx(measured[layer - 1], abs=0.03)
    # The figures of one published simulation, whose networks scatter by 0.02 to 0.04 each.
    for layer, published in ((10, 0.111), (20, 0.249), (30, 0.311)):
        assert predicted[layer - 1] == pytest.approx(published, abs=0.035)


def test_what_cannot_die_is_expected_alive_and_what_theory_does_not_cover_is_not_guessed():
    inputs = Inputs(1.0, 0.3, 100)
    assert expected_dead(shape(3, act="gelu"), "he", inputs) == [0.0] * 3
    assert expected_dead(shape(3, norm="batch"), "he", inputs) == [0.0] * 3
    assert all(math.isnan(p) for p in expected_dead(shape(3), "rai", inputs))
    assert all(math.isnan(p) for p in expected_dead(shape(3, skip="highway"), "he", inputs))
    mixed = MLPShape(20, 10, 2, 50, ("relu", "tanh"))
    assert [p > 0 for p in expected_dead(mixed, "he", Inputs(1.0, 0.9, 10))] == [True, False]


@pytest.mark.parametrize(("width", "published", "upper"), [(2, 0.881, 0.925), (4, 0.289, 0.441), (5, 0.128, 0.249)])
def test_networks_born_dead(width, published, upper):
    """9 hidden layers, one input, 20,000 networks (figures of Lu 2019's setting)."""
    dead = born_dead(np.random.default_rng(1), 20_000, BornCell(width, 9, "he", 20_000)).mean()
    low, high = born_dead_bounds([width] * 9, "he")
    assert dead == pytest.approx(published, abs=0.01)
    assert high == pytest.approx(upper, abs=5e-4)
    assert low < dead < high


def test_one_layer_has_an_exact_answer():
    """One input, one layer: dead would take weights both ways, which no unit can be; two: by hand.

    Of the second layer's N units, those that read a live ray of k units are silent with chance 1/2 each. Both
    rays must be silent; with k units on one and N - k on the other, they are independent.
    """
    width = 3
    rng = np.random.default_rng(2)
    assert not born_dead(rng, 2000, BornCell(width, 1, "he", 2000)).any()
    # P = Σ_k C(N, k) 2^-N · P(silent on both): 2^-N where one ray is empty, 4^-N where both live.
    both = 1 - 2 * 2.0**-width
    exact = 2 * 2.0**-width * 2.0**-width + both * 4.0**-width
    found = born_dead(rng, 200_000, BornCell(width, 2, "he", 200_000)).mean()
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact / 200_000))


def test_asymmetric_weights_keep_narrow_networks_alive():
    dead = born_dead(np.random.default_rng(3), 20_000, BornCell(2, 9, "rai", 20_000)).mean()
    assert dead == pytest.approx(0.22, abs=0.03)
    assert all(math.isnan(bound) for bound in born_dead_bounds([2] * 9, "rai"))


def test_depth_does_not_underflow():
    """Without rescaling, float64 would lose a net of width 2 long before layer 3000."""
    dead = born_dead(np.random.default_rng(4), 50, BornCell(30, 3000, "he", 50)).mean()
    assert dead == 0


def test_bounds_and_the_design_rule():
    low, high = born_dead_bounds([3, 4], "torch")
    assert math.isnan(low)
    assert high == pytest.approx(1 - (1 - 1 / 8) * (1 - 1 / 16))
    width = math.ceil(width_for(0.01, 9))
    assert born_dead_bounds([width] * 9, "he")[1] <= 0.01 < born_dead_bounds([width - 1] * 9, "he")[1]
