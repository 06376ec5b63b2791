"""Oracles: closed forms, the published table at q = 1, and Monte Carlo."""

import math

import numpy as np
import pytest
import torch

from dnnlab.networks import initialisers, meanfield
from dnnlab.networks.activations import build
from dnnlab.networks.meanfield import critical, depth_scale, fixed_point, moments, pair_moments

# E φ², E φ'², rate with batch norm, rate with layer norm, at q = 1
TABLE = {
    "sigmoid": (0.2934, 0.0448, 1.0167, 0.3909),
    "tanh": (0.3943, 0.4644, 1.0853, 1.0853),
    "relu": (0.5, 0.5, math.sqrt(math.pi / (math.pi - 1)), 1.0),
    "leaky_relu": (0.5001, 0.5000, 1.2056, 1.0),
    "prelu": (0.5313, 0.5313, 1.0967, 1.0),
    "elu": (0.6449, 0.6681, 1.0388, 1.0178),
    "selu": (1.0, 1.0716, 1.0352, 1.0352),
    "swish": (0.3558, 0.3795, 1.1009, 1.0328),
    "gelu": (0.4252, 0.4559, 1.1484, 1.0354),
}


@pytest.mark.parametrize("act", TABLE)
def test_the_published_table(act):
    m = moments(act, 1.0)
    measured = (
        m.square,
        m.slope2,
        math.sqrt(m.slope2 / (m.square - m.mean**2)),
        math.sqrt(m.slope2 / m.square),
    )
    np.testing.assert_allclose(measured, TABLE[act], atol=6e-5)


@pytest.mark.parametrize("q", [1e-6, 0.3, 1.0, 50.0, 1e6])
def test_relu_in_closed_form(q):
    m = moments("relu", q)
    assert m.square == pytest.approx(q / 2, rel=1e-10)
    assert m.slope2 == pytest.approx(0.5, rel=1e-10)
    assert m.fourth == pytest.approx(1.5 * q**2, rel=1e-10)
    assert m.mean == pytest.approx(math.sqrt(q / (2 * math.pi)), rel=1e-10)


@pytest.mark.parametrize("slope", [0.01, 0.25])
def test_leaky_slopes_in_closed_form(slope):
    act = {0.01: "leaky_relu", 0.25: "prelu"}[slope]
    assert moments(act, 3.0).slope2 == pytest.approx((1 + slope**2) / 2, rel=1e-10)


@pytest.mark.parametrize("c", [-0.99, -1 / 7, 0.0, 0.3, 0.9, 0.9999, 1.0])
def test_relu_pairs_are_the_arc_cosine_kernel(c):
    """Cho & Saul 2009."""
    angle = math.acos(c)
    kernel = (math.sqrt(1 - c * c) + c * (math.pi - angle)) / math.pi
    pair = pair_moments("relu", 2.0, c)
    assert pair.product == pytest.approx(kernel, rel=1e-6, abs=1e-9)
    assert pair.slopes == pytest.approx((1 - angle / math.pi) / 2, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("act", ["tanh", "gelu", "Hardtanh"])
def test_pairs_against_monte_carlo(act):
    q, c, count = 1.7, -0.3, 4_000_000
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2, count))
    u = torch.from_numpy(math.sqrt(q) * np.stack([z[0], c * z[0] + math.sqrt(1 - c * c) * z[1]])).requires_grad_()
    phi = build(act)(u)
    (slope,) = torch.autograd.grad(phi.sum(), u)
    pair = pair_moments(act, q, c)
    for predicted, samples in (
        (pair.product, phi[0] * phi[1]),
        (pair.slopes, slope[0] * slope[1]),
        (pair.slopes2, slope[0] ** 2 * slope[1] ** 2),
        (pair.tilts, (u[0] * slope[0] * u[1] * slope[1]) / q),
    ):
        error = samples.std().item() / math.sqrt(count)
        assert abs(predicted - samples.mean().item()) < 4.5 * error


@pytest.mark.parametrize(
    ("act", "weight", "bias"),
    [
        ("linear", 1, 0),
        ("tanh", 2.153, 0.151),
        ("relu", 2, 0),
        ("leaky_relu", 1.9998, 0),
        ("prelu", 1.882, 0),
        ("elu", 1.497, 0.035),
        ("selu", 0.933, 0.067),
        ("swish", 2.635, 0.0625),
        ("gelu", 2.194, 0.067),
    ],
)
def test_critical_points_at_q_1(act, weight, bias):
    point = critical(act)
    assert (point.weight, point.bias, point.q) == pytest.approx((weight, bias, 1.0), abs=6e-4)


def test_sigmoid_is_critical_far_from_q_1_only():
    """With the definition: χ = 1, and q is a fixed point with a bias variance that is not negative."""
    point = critical("sigmoid")
    m = moments("sigmoid", point.q)
    assert point.q > 10
    assert point.weight * m.slope2 == pytest.approx(1)
    assert point.weight * m.square + point.bias == pytest.approx(point.q)
    assert point.bias >= 0


@pytest.mark.parametrize(
    ("weight", "chi", "scale"),
    [
        (1.0, 0.759, 3.63),
        (1.25, 0.863, 6.80),
        (1.5, 0.939, 15.8),
        (1.7, 0.987, 74.9),
        (2.0, 1.048, 25.2),
        (2.5, 1.134, 11.8),
        (4.0, 1.342, 7.0),
    ],
)
def test_depth_scales_of_tanh(weight, chi, scale):
    """Schoenholz 2017: σb² = .05."""
    q = fixed_point("tanh", weight, 0.05)
    assert weight * moments("tanh", q).slope2 == pytest.approx(chi, abs=6e-4)
    assert depth_scale("tanh", weight, 0.05) == pytest.approx(scale, rel=6e-3)


def test_he_relu_is_on_the_edge_of_chaos():
    assert depth_scale("relu", 2.0, 0.0) == math.inf


@pytest.mark.parametrize("act", ["elu", "selu", "gelu", "swish"])
def test_he_has_no_fixed_point_for_smooth_activations(act):
    """ELU and SELU run off, GELU and swish die out."""
    assert math.isnan(fixed_point(act, 2.0, 0.0))


def test_the_fixed_point_is_where_the_recursion_ends():
    """Near criticality too, where the recursion takes thousands of layers."""
    q = 1.0
    for _ in range(100):
        q = 1.3 * moments("tanh", q).square + 0.02
    assert fixed_point("tanh", 1.3, 0.02) == pytest.approx(q, rel=1e-9)
    near = fixed_point("tanh", 1.0001, 0.0)
    assert 1.0001 * moments("tanh", near).square == pytest.approx(near, rel=1e-9)
    assert near == pytest.approx(5e-5, rel=1e-3)  # E tanh² = q - 2q² + …: q* = (σw² - 1) / 2


@pytest.mark.parametrize("act", ["selu", "tanh"])
@pytest.mark.parametrize("gap", [1.5, 0.3, 1e-3, 5e-5, 1e-6])
def test_slopes_are_the_slope_of_the_product(act, gap):
    """Price 1958: d/dc E φ(u₁) φ(u₂) = q E φ'(u₁) φ'(u₂), also near c = 1, where SELU's kink is a narrow feature."""
    q, step = 0.3, gap / 100
    above, below = (pair_moments(act, q, 1 - gap + sign * step).product for sign in (1, -1))
    assert (above - below) / (2 * step * q) == pytest.approx(pair_moments(act, q, 1 - gap).slopes, rel=2e-5)


def test_without_biases_odd_activations_part_until_they_are_uncorrelated():
    q = fixed_point("tanh", 1.4, 0.0)
    assert depth_scale("tanh", 1.4, 0.0) == pytest.approx(-1 / math.log(1.4 * pair_moments("tanh", q, 0.0).slopes))


def test_a_kink_halves_the_slope_that_is_left_in_chaos():
    """Near criticality f(1 - δ) = -εδ + kδ^1.5 with a kink at 0: at its root the slope is 1 - ε/2."""
    q = fixed_point("selu", 0.5, 0.0)
    excess = 0.5 * moments("selu", q).slope2 - 1
    assert depth_scale("selu", 0.5, 0.0) == pytest.approx(2 / excess, rel=0.01)


def test_he_elu_runs_off_by_one_a_layer():
    """For large q, E φ² = q/2 + E (e^u - 1)²[u < 0] → q/2 + 1/2, so that q grows by 1 without end."""
    q = 1e6
    assert 2 * moments("elu", q).square - q == pytest.approx(1 - 3 / math.sqrt(2 * math.pi * q), rel=1e-4)


@pytest.mark.parametrize("init", ["torch", "xavier", "he", "lecun", "orthogonal", "normal:0.3", "critical"])
def test_a_draw_has_the_variances_it_promises(init):
    rng = np.random.default_rng(0)
    for fan_in, fan_out, after in ((300, 300, "tanh"), (200, 400, "tanh"), (64, 300, None)):
        weight, bias = initialisers.draw(init, rng, fan_in, fan_out, after, "tanh")
        var = initialisers.variances(init, fan_in, fan_out, after, "tanh")
        assert weight.shape == (fan_in, fan_out)
        assert bias.shape == (fan_out,)
        assert weight.var() == pytest.approx(var.weight, rel=0.03)
        assert bias.var() == pytest.approx(var.bias, rel=0.5)


def test_orthogonal_weights_are_orthonormal():
    weight, _ = initialisers.draw("orthogonal", np.random.default_rng(0), 30, 50, "relu", "relu")
    np.testing.assert_allclose(weight @ weight.T, np.eye(30), atol=1e-12)


@pytest.mark.parametrize(
    ("init", "reference"),
    [
        ("torch", lambda w, b: torch.nn.Linear(200, 200).reset_parameters),
        ("xavier", lambda w, b: torch.nn.init.xavier_uniform_(w)),
        ("he", lambda w, b: torch.nn.init.kaiming_normal_(w, nonlinearity="relu")),
    ],
)
def test_initialisers_have_the_spread_of_pytorchs_own(init, reference):
    linear = torch.nn.Linear(200, 200)
    with torch.no_grad():
        reference(linear.weight, linear.bias)
    weight, _ = initialisers.draw(init, np.random.default_rng(0), 200, 200, "relu", "relu")
    assert weight.std() == pytest.approx(linear.weight.std().item(), rel=0.02)
    if init != "he":
        assert np.abs(weight).max() == pytest.approx(linear.weight.abs().max().item(), rel=0.01)


def test_moments_prepared_together_are_those_of_each_alone():
    pairs = [(act, q) for act in ("relu", "tanh", "gelu") for q in (0.0, 1e-9, 0.37, 1.0, 2.5, 1e4) + (0.11, 0.12) * 20]
    alone = []
    for pair in pairs:
        meanfield._known.clear()
        alone.append(moments(*pair))
    meanfield._known.clear()
    meanfield.prepare(pairs)
    assert set(meanfield._known) == set(pairs)
    assert [moments(*pair) for pair in pairs] == alone


def test_moments_that_are_kept_are_bounded(monkeypatch):
    monkeypatch.setattr(meanfield, "_MOST_KNOWN", 5)
    for q in range(1, 30):
        moments("relu", float(q))
    assert len(meanfield._known) <= 6
