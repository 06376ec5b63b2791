"""Theory against published numbers, and against nets that are really drawn and measured."""

import itertools
import math

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
    log_rate,
    max_trainable_depth,
    predict,
    prepare,
    slope_weights,
)

UNIT = InputStatistics(1.0, 1.0)


def setting(act, init, norm="none", skip="none", depth=20, width=400, batch=128, dropout=0.0):
    shape = MLPShape(width, 10, depth, width, (act,) * depth, norm, parse_skip(skip))
    return Setting(shape, init, UNIT, batch, dropout)


def log_rates(chosen, seeds, masks=()):
    """Measured log rates ``[seed]`` on standard normal inputs with labels by chance."""
    shape, batch = chosen.shape, chosen.batch_size
    stack = StackedMLP.draw(shape, [chosen.init] * seeds, [np.random.default_rng(i) for i in range(seeds)])
    rng = np.random.default_rng(1000)
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
    assert rate(setting("relu", "he", "batch", batch=batch, depth=200)) ** 2 == pytest.approx(squared, abs=2e-3)


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
    assert math.exp(predict(chosen).log_rate * 20) == pytest.approx(ratio, rel=0.02)
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
    for act, init in itertools.product(ACTS, ["torch", "xavier", "he"]):
        chosen = setting(act, init, norm, skip, depth=8, width=96, batch=32)
        predicted = predict(chosen)
        distance = log_rates(chosen, 3).mean() - predicted.log_rate
        inside.append(abs(distance) < 1.96 * predicted.standard_error(3))
    assert np.mean(inside) >= 0.95


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


def test_max_trainable_depth():
    assert max_trainable_depth(setting("relu", "he")) == math.inf
    assert max_trainable_depth(setting("tanh", "torch")) < 20
    assert math.isnan(max_trainable_depth(setting("relu", "he", "batch")))


def test_theory_gives_up_rather_than_overflow():
    assert predict(setting("selu", "normal:1e30")) is None


EACH = [
    setting(act, init, norm, skip, depth=depth, width=16)
    for act, init in (("relu", "he"), ("tanh", "normal:0.4"), ("sigmoid", "torch"), ("relu", "normal:1e200"))
    for norm in ("none", "batch", "layer")
    for skip in ("none", "residual:0.3", "highway", "dense")
    for depth in (2, 7)
]


def test_what_is_prepared_together_predicts_as_each_alone():
    def predicted():
        for cached in (predict, gradients._layers):
            cached.cache_clear()
        return [
            None if (p := predict(each)) is None else (p.log_delta.tolist(), p.log_rate, p.spread, p.bias)
            for each in EACH
        ]

    alone = predicted()
    prepare(EACH)
    prepare(EACH, rates_alone=True)
    assert predicted() == alone


@pytest.mark.parametrize("chosen", [each for each in EACH if predict(each) is not None])
def test_the_rate_alone_is_that_of_the_prediction(chosen):
    assert log_rate(chosen) == predict(chosen).log_rate


def test_where_numbers_leave_their_range_there_is_no_rate():
    assert math.isnan(log_rate(setting("relu", "normal:1e200", depth=20)))


def test_an_initialiser_without_a_variance_has_no_rate():
    prepare([setting("relu", "rai")])
    assert math.isnan(log_rate(setting("relu", "rai")))
