"""What chance leaves dead at birth: closed forms, published figures, and networks that are really drawn."""

import math

import numpy as np
import pytest
import torch

from benchmarks.born_dead_grid import Case, agree, brute_force
from dnnlab.dead_relu.born.measure import born_dead
from dnnlab.dead_relu.born.plan import BornCell
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.statistics.streams import stream
from dnnlab.theory import death
from dnnlab.theory.death import born_dead_bounds, expected_dead, width_for


def shape(depth, width=500, inputs=20, act="relu", norm="none", skip="none"):
    return MLPShape(inputs, 10, depth, width, (act,) * depth, norm, parse_skip(skip))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_independent_inputs_leave_a_unit_dead_with_chance_two_to_the_minus_n(count):
    (found,) = expected_dead(shape(1, inputs=count), "he", torch.eye(count))
    assert found == pytest.approx(2.0**-count, rel=0.05)


@pytest.mark.parametrize("width", [2, 8])
@pytest.mark.parametrize("count", [8, 9, 10])
def test_a_rare_death_is_not_taken_for_none_because_the_first_networks_had_none(count, width):
    """Of a few hundred units none may be dead, so that nothing scatters; one in a thousand is."""
    inputs = torch.eye(count).repeat(1200 // count, 1)  # so many that few networks are drawn at a time
    (found,) = expected_dead(shape(1, width=width, inputs=count), "he", inputs)
    error = max(death.RELATIVE_ERROR * 2.0**-count, death.ERROR)
    assert found > 0
    assert abs(found - 2.0**-count) < 3.5 * error


@pytest.mark.parametrize("c", [-0.5, 0.3, 0.8])
def test_two_inputs_follow_sheppards_formula_and_the_arc_cosine_kernel(c):
    """P(both < 0) = 1/4 + arcsin(c)/2π (Sheppard 1899), and He's ReLU makes c to (√(1 - c²) + c(π - arccos c))/π in
    wide layers (Cho & Saul 2009)."""
    found = expected_dead(shape(3, inputs=2), "he", torch.tensor([[1.0, 0.0], [c, math.sqrt(1 - c * c)]]))
    for share in found:
        assert share == pytest.approx(0.25 + math.asin(c) / (2 * math.pi), rel=0.05)
        c = (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi


def test_deep_layers_against_a_published_simulation(monkeypatch):
    """Input dimension 20, 1000 inputs, width 500. The figures are of one network, and networks scatter by 0.02, 0.03
    and 0.03 in these layers: the mean may lie two such deviations away."""
    monkeypatch.setattr(death, "RELATIVE_ERROR", 0.1)
    monkeypatch.setattr(death, "_FEWEST", 8)
    x = torch.from_numpy(np.random.default_rng(7).standard_normal((1000, 20)))
    predicted = expected_dead(shape(30), "he", x)
    for layer, published, scatter in ((10, 0.111, 0.02), (20, 0.249, 0.03), (30, 0.311, 0.03)):
        assert predicted[layer - 1] == pytest.approx(published, abs=2 * scatter)


@pytest.mark.parametrize(
    "case",
    [
        Case("digits", "relu", 24, 6, "torch"),
        Case("gaussian", "relu", 24, 6, "xavier", norm="layer"),
        Case("gaussian", "relu", 16, 8, "he", skip="residual:0.5"),
        Case("gaussian", "relu", 16, 4, "he", skip="dense"),
        Case("gaussian", "relu", 16, 6, "torch", skip="highway"),
        Case("gaussian", "Hardswish*3+gelu*1+Hardswish*2", 16, 6, "normal:0.8"),
        # zero by rounding
        Case("gaussian", "gelu", 16, 5, "normal:5"),
        Case("gaussian", "Tanhshrink", 16, 5, "normal:0.001"),
        Case("gaussian", "Softshrink", 16, 3, "normal:0.05"),
    ],
    ids=lambda case: f"{case.act} {case.init} {case.norm} {case.skip}",
)
def test_expected_dead_units_against_networks_of_plain_pytorch(case):
    x = case.inputs()[:40]
    expected = expected_dead(case.shape(x.shape[1]), case.init, x)
    counted, _ = brute_force(case, x, precision=0.012)
    assert agree(sum(expected) / len(expected), float(counted.mean()))
    np.testing.assert_allclose(expected, counted, rtol=0.15, atol=0.01)


def test_the_cases_that_are_not_zero_on_the_left_have_dead_units():
    x = Case("gaussian", "gelu", 16, 5, "normal:5").inputs()[:40]
    for act, init in (("gelu", "normal:5"), ("Tanhshrink", "normal:0.001"), ("Softshrink", "normal:0.05")):
        assert max(expected_dead(shape(5, width=16, act=act), init, x)) > 0.05


def test_what_never_is_zero_is_expected_alive():
    x = torch.randn(50, 20, generator=torch.Generator().manual_seed(0))
    assert expected_dead(shape(3, act="gelu"), "he", x) == [0.0] * 3
    assert expected_dead(shape(3, norm="batch", width=20), "he", x) == [0.0] * 3
    mixed = MLPShape(20, 10, 2, 50, ("relu", "tanh"))
    assert [p > 0 for p in expected_dead(mixed, "he", torch.ones(10, 20))] == [True, False]


@pytest.mark.parametrize("act", ["Softshrink", "Hardshrink"])
def test_a_unit_of_a_shrinkage_is_dead_where_it_stays_within_a_half(act):
    """On one input of norm 1 with 20 features, He's pre-activations are normal with variance 2/20."""
    (found,) = expected_dead(shape(1, act=act), "he", torch.eye(20)[:1])
    assert found == pytest.approx(math.erf(0.5 / math.sqrt(2 * 2 / 20)), rel=0.03)


def test_the_networks_that_are_measured_are_not_those_of_the_expectation(monkeypatch):
    """Their streams are other ones, and the answer is the same at every call."""
    asked = []
    monkeypatch.setattr(death, "stream", lambda *key: asked.append(key) or stream(*key))
    monkeypatch.setattr(death, "_known", {})
    x = torch.eye(3)
    first = expected_dead(shape(2, inputs=3, width=30), "he", x)
    assert asked == [(0, 0, "expected dead")]
    monkeypatch.setattr(death, "_known", {})
    assert expected_dead(shape(2, inputs=3, width=30), "he", x) == first


def test_what_would_take_too_long_or_leaves_the_range_of_numbers_is_not_guessed(monkeypatch):
    x = torch.ones(10, 20)
    assert all(math.isnan(p) for p in expected_dead(shape(30, width=20), "normal:1e9", x))
    monkeypatch.setattr(death, "_MOST_MACS", 10 * shape(3, width=21).macs() * 20)
    assert all(math.isnan(p) for p in expected_dead(shape(3, width=21), "he", x))


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
