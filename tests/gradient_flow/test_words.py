"""What came out, in sentences."""

import math

import pandas as pd
import pytest

from dnnlab.gradient_flow.spec import Spec
from dnnlab.gradient_flow.words import conclusions

ROW = {
    "model": "",
    "data": "digits",
    "act": "relu",
    "init": "he",
    "norm": "none",
    "skip": "none",
    "depth": 20,
    "rate": 0.5,
    "rate_theory": 0.48,
    "first_last_ratio": 1.9e-6,
    "no_gradient": "",
    "verdict": "vanishing",
    "remedy": "",
    "width": 64,
    "batch_size": 128,
    "optimizer": "sgd",
    "lr": 0.01,
    "weight_decay": 0.0,
    "dropout": 0.0,
    "clip": 0.0,
}


def told(*rows):
    return conclusions(pd.DataFrame([ROW | row for row in rows]), Spec())


def test_one_configuration_is_said_with_its_theory():
    assert told({}) == [
        "relu (init he, depth 20) changes the gradient by a factor of 0.5 a layer, where theory expects 0.48: of 20 "
        "layers, the first receives 1.9e-06 times what the last does."
    ]


def test_of_several_the_strongest_is_said_and_all_are_counted():
    (text,) = told({"rate": 0.9}, {"rate": 0.2, "act": "sigmoid"}, {"rate": 1.0, "verdict": "healthy"})
    assert text.startswith("3 configurations: 2 vanishing, 1 healthy. sigmoid (init he, depth 20)")


def test_a_small_rate_over_many_layers_is_stronger_than_a_large_one_over_few():
    (text,) = told({"rate": 0.9, "depth": 200}, {"rate": 0.5, "depth": 5})
    assert "of 200 layers" in text


def test_where_theory_is_silent_nothing_is_said_of_it():
    (text,) = told({"rate_theory": math.nan, "norm": "batch", "skip": "dense"})
    assert "theory" not in text
    assert "relu (init he, depth 20, norm batch, skip dense)" in text


@pytest.mark.parametrize("rate", [math.nan, math.inf])
def test_without_a_finite_rate_that_is_said(rate):
    assert told({"rate": rate}) == [
        "relu (init he, depth 20) gave no finite rate: at some layer the gradient is zero, infinite or not a number."
    ]


def test_a_remedy_is_told_with_its_rate_and_its_command():
    tried = "norm batch: rate 1.1 [1.0, 1.2]; skip residual:0.23: rate 1; init critical: exploding"
    lines = told({"remedy": tried})
    assert lines[1:] == [
        "relu (init he, depth 20) is vanishing. Remedies were measured at initialisation, on the same seeds and "
        "batches.",
        "With norm batch its rate is 1.1 [1.0, 1.2], healthy: `dnnlab gradient-flow --init he --norm batch`.",
        "With skip residual:0.23 its rate is 1, healthy: `dnnlab gradient-flow --init he --skip residual:0.23`.",
        "Not so with init critical: exploding.",
    ]


@pytest.mark.parametrize("tried", ["norm layer: vanishing; norm batch: undecided", "none is recommended under 3 seeds"])
def test_where_nothing_heals_that_is_said(tried):
    lines = told({"remedy": tried})
    assert lines[1:] == [f"relu (init he, depth 20) is vanishing, and no remedy is shown to heal it: {tried}."]


def test_remedies_are_told_of_up_to_six_networks():
    lines = told(*({"remedy": "norm batch: undecided", "depth": depth} for depth in range(10, 18)))
    assert len(lines) == 1 + 6 + 1
    assert lines[-1] == "summary.csv has the remedies of 2 more."


def test_a_network_of_ones_own_is_called_by_its_name():
    (text,) = told({"model": "mine:net"})
    assert text.startswith("mine:net on digits changes")
