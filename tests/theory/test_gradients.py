"""Theory against published numbers, and against nets that are really drawn and measured."""

import itertools
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from dnnlab.instruments import layerwise
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.networks.stacked import Batch, StackedMLP
from dnnlab.theory import gradients
from dnnlab.theory.gradients import (
    InputStatistics,
    Setting,
    max_trainable_depth,
    predict,
    prepare,
    silence,
    slope_weights,
)

WIDE = 10**6
"""Units from which on a finite width changes nothing that a test sees."""


def setting(act, init, norm="none", skip="none", depth=20, width=400, batch=128, dropout=0.0, inputs=400):
    shape = MLPShape(inputs, 10, depth, width, (act,) * depth, norm, parse_skip(skip))
    # Of standard normal inputs: the mean of n squares has the variance 2/n, that of n products 1/n.
    told = InputStatistics(1.0, 1.0, math.sqrt(2 / inputs), math.sqrt(1 / inputs))
    return Setting(shape, init, told, batch, dropout)


def log_rates(chosen, seeds, masks=(), first=0):
    """Measured log rates ``[seed]`` on standard normal inputs with labels by chance."""
    shape, batch = chosen.shape, chosen.batch_size
    rngs = [np.random.default_rng(i) for i in range(first, first + seeds)]
    stack = StackedMLP.draw(shape, [chosen.init] * seeds, rngs)
    rng = np.random.default_rng(1000 + first)
    x = torch.from_numpy(rng.standard_normal((seeds, batch, shape.inputs))).float()
    y = torch.from_numpy(rng.integers(shape.classes, size=(seeds, batch)))
    deltas = layerwise.measure(stack, Batch(x, y), masks).layers["delta_norm"][:, : shape.depth]
    return np.log(deltas.numpy()) @ slope_weights(shape.depth)


def rate(chosen):
    return math.exp(predict(chosen).log_rate)


@pytest.mark.parametrize(
    ("batch", "squared"), [(8, 1.788), (16, 1.590), (32, 1.522), (64, 1.493), (256, 1.473), (10**6, 1.4669)]
)
def test_batch_norm_with_relu_at_every_batch_size(batch, squared):
    """The closed form of the symmetric fixed point is of infinite width, the Monte Carlo of 512 units. With the
    arc-cosine kernel J it is [(B-1+J'(c))/(1-J(c)) - 1]/(B-3)."""
    predicted = predict(setting("relu", "he", "batch", batch=batch, depth=200, width=WIDE))
    distance = predicted.log_rate - math.log(squared) / 2
    assert abs(distance) < 2.5 * predicted.error
    assert abs(distance) < 0.006


@pytest.mark.parametrize(
    ("chosen", "expected", "tolerance"),
    [
        (setting("relu", "he", "batch"), 1.21, 0.02),
        (setting("relu", "torch"), math.sqrt(1 / 6), 0.01),
        (setting("tanh", "torch"), math.sqrt(1 / 3), 0.01),
        (setting("selu", "lecun"), 1.035, 0.005),
        (setting("sigmoid", "xavier"), 0.236, 0.003),
        (setting("sigmoid", "he"), 0.318, 0.004),
        (setting("relu", "xavier"), 0.709, 0.01),
    ],
)
def test_published_rates(chosen, expected, tolerance):
    assert rate(chosen) == pytest.approx(expected, abs=tolerance)
    assert math.exp(log_rates(chosen, 4).mean()) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(("scale", "ratio"), [("residual", 2**10), (f"residual:{1 / math.sqrt(20)}", 1.63)])
def test_residual_he_relu_over_20_blocks(scale, ratio):
    """y + s·W φ(y): each block multiplies the squared norm by 1 + s²."""
    chosen = setting("relu", "he", skip=scale, depth=21)
    wide = setting("relu", "he", skip=scale, depth=21, width=WIDE)
    assert math.exp(predict(wide).log_rate * 20) == pytest.approx(ratio, rel=0.02)
    assert math.exp(predict(chosen).log_rate * 20) == pytest.approx(ratio, rel=0.08)
    assert math.exp(log_rates(chosen, 6).mean() * 20) == pytest.approx(ratio, rel=0.08)


def test_pre_norm_blocks_grow_as_a_polynomial():
    """Squared growth of block k is 1 + σw² E φ'²/v_k with v_k = v_1 + (k - 1) σw² Var φ; He starts at v_1 = 2."""
    chosen = setting("relu", "he", "batch", "residual", depth=21)
    powers = 2.0 + 2 * (0.5 - 0.5 / math.pi) * np.arange(20)
    expected = math.sqrt(np.prod(1 + 2 * 0.5 / powers))
    log_delta = predict(chosen).log_delta
    assert math.exp(log_delta[0] - log_delta[-1]) == pytest.approx(expected, rel=0.03)
    assert math.exp(log_rates(chosen, 4).mean() - predict(chosen).log_rate) == pytest.approx(1, abs=0.005)


ACTS = ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "swish", "gelu"]


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("skip", ["none", "residual", "residual:0.3", "highway", "dense"])
def test_measured_rates_lie_in_theorys_band(norm, skip):
    inside = []
    for i, (act, init) in enumerate(itertools.product(ACTS, ["torch", "xavier", "he"])):
        chosen = setting(act, init, norm, skip, depth=8, width=96, batch=32, inputs=96)
        predicted = predict(chosen)
        # Networks of one stream would lie outside together.
        distance = log_rates(chosen, 3, first=100 * i).mean() - predicted.log_rate
        inside.append(abs(distance) < 1.96 * predicted.standard_error(3))
    assert np.mean(inside) >= 0.88  # 24 of 27: a share of 95 % gives fewer in 1 % of all cases


def test_the_band_is_no_wider_than_it_must_be():
    """One input, He-ReLU: Hanin & Nica's 5/N a layer is then no bound but the variance itself."""
    chosen = setting("relu", "he", depth=12, width=64, batch=1)
    measured = log_rates(chosen, 400).std(ddof=1)
    predicted = predict(chosen)
    assert predicted.spread == pytest.approx(measured, rel=0.15)


def test_dropout_is_in_the_theory():
    chosen = setting("relu", "he", dropout=0.5, width=256)
    keep = torch.rand(20, 4, 128, 256, generator=torch.Generator().manual_seed(0)) > 0.5
    measured = math.exp(log_rates(chosen, 4, list(keep / 0.5)).mean())
    assert rate(chosen) == pytest.approx(measured, rel=0.03)


def test_slope_weights_are_a_least_squares_fit():
    y = np.random.default_rng(0).standard_normal(17)
    assert slope_weights(17) @ y == pytest.approx(-np.polyfit(np.arange(17), y, 1)[0])


def test_a_networks_depth_ends_with_its_correlations_or_with_its_gradients():
    """Tanh, σb² = 0: for σw² = 1/3, q falls to 0, which is no fixed point. For σw² > 1, χ > 1 and gradients explode."""
    assert math.isnan(max_trainable_depth(setting("tanh", "lecun", width=WIDE)))
    ordered = setting("tanh", "torch", width=300)  # σw² = 1/3, σb² = 1/900: q* ≈ σb²/(1 - σw²), so that χ ≈ 1/3
    assert max_trainable_depth(ordered) == pytest.approx(6 / math.log(3), rel=0.02)
    chaotic = setting("tanh", "normal:0.1", width=400)  # σw = 2
    q = 4 * 0.5
    for _ in range(200):
        u = math.sqrt(q) * np.polynomial.hermite_e.hermegauss(80)[0]
        p = np.polynomial.hermite_e.hermegauss(80)[1] / math.sqrt(2 * math.pi)
        q = 4 * float(p @ np.tanh(u) ** 2)
    chi = 4 * float(p @ (1 - np.tanh(u) ** 2) ** 2)
    assert max_trainable_depth(chaotic) <= 6 / math.log(chi)


@pytest.mark.parametrize("width", [16, 400])
def test_at_the_edge_of_chaos_chance_ends_it(width):
    """Hanin & Nica: ln‖δ‖² gains the variance 5/N a layer, so that its typical value loses 5/2N."""
    assert max_trainable_depth(setting("relu", "he", width=width)) == pytest.approx(6 * 2 * width / 5)


def test_where_there_are_no_depth_scales():
    assert math.isnan(max_trainable_depth(setting("relu", "he", "batch")))
    assert math.isnan(max_trainable_depth(setting("relu", "normal:0.5")))  # q grows without end
    assert math.isnan(max_trainable_depth(setting("gelu", "he")))  # q → 0


def test_theory_gives_up_rather_than_overflow():
    assert predict(setting("selu", "normal:1e30")) is None


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        (setting("relu", "he", width=4), "less than 8 units"),
        (setting("relu", "he", "batch", batch=3), "less than 4 examples"),
        (setting("selu", "normal:1e30"), "range of numbers"),
        (setting("relu", "normal:1e200"), "range of numbers"),
        (setting("relu", "he", "batch", "dense", depth=1000, width=512), "too much memory"),
    ],
)
def test_it_says_why_it_is_silent(chosen, reason):
    assert predict(chosen) is None
    assert reason in silence(chosen)


def test_what_becomes_exactly_zero_warns_nobody():
    """x - tanh x is cubic at 0, so that it is less than float64 holds after a few layers."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "range of numbers" in silence(setting("Tanhshrink", "orthogonal", width=16))


def test_it_is_silent_where_an_earlier_version_measured_too_little():
    told = replace(setting("relu", "he"), inputs=InputStatistics(1.0, 1.0, math.nan, math.nan))
    assert "earlier version" in silence(told)


def test_theory_that_speaks_gives_no_reason():
    assert silence(setting("relu", "he")) == ""


EACH = [
    setting(act, init, norm, skip, depth=depth, width=16)
    for act, init in (("relu", "he"), ("tanh", "normal:0.4"), ("sigmoid", "torch"), ("relu", "normal:1e200"))
    for norm in ("none", "batch", "layer")
    for skip in ("none", "residual:0.3", "highway", "dense")
    for depth in (2, 7)
]


def predicted(chosen):
    found = predict(chosen)
    return found and (found.log_delta.tolist(), found.log_rate, found.spread, found.error)


def test_what_is_prepared_together_predicts_as_each_alone(monkeypatch):
    alone = []
    for each in EACH:
        monkeypatch.setattr(gradients, "_known", {})
        alone.append(predicted(each))
    monkeypatch.setattr(gradients, "_known", {})
    prepare(EACH)
    assert [predicted(each) for each in EACH] == alone


def test_batch_norm_has_the_rate_of_relu_under_wide_and_narrow_layers():
    """Yang 2019: of a batch of 64 the square grows by 1.493 a layer."""
    for init, width in (("he", 64), ("torch", 512)):
        found = predict(setting("relu", init, "batch", width=width, batch=64, depth=30))
        assert found.log_rate == pytest.approx(math.log(1.493) / 2, abs=0.02)


def test_an_initialiser_with_a_mean_is_measured_as_predicted():
    """Lu 2019: one weight or bias of each unit is positive, so that no variance describes them."""
    chosen = setting("relu", "rai", depth=10, width=64, batch=32, inputs=64)
    found = predict(chosen)
    assert abs(log_rates(chosen, 10).mean() - found.log_rate) < 3 * found.standard_error(10)


@pytest.mark.parametrize("act", ["Hardswish", "Softplus", "swish"])
def test_batch_norm_where_the_symmetric_fixed_point_is_not_stable(act):
    """Pairs of a batch are then not equally correlated (Yang 2019)."""
    chosen = setting(act, "xavier", "batch", depth=25, width=128, batch=32, inputs=16)
    found = predict(chosen)
    assert abs(log_rates(chosen, 8).mean() - found.log_rate) < 3 * found.standard_error(8)
