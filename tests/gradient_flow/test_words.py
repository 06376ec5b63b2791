"""What came out, in sentences."""

import math

import pandas as pd
import pytest

from dnnlab.gradient_flow.spec import Spec
from dnnlab.gradient_flow.words import advice, conclusions

ROW = {
    "model": "",
    "data": "digits",
    "act": "relu",
    "init": "he",
    "norm": "none",
    "skip": "none",
    "depth": 20,
    "seeds": 5,
    "diverged": 0,
    "rate": 0.5,
    "rate_lo": math.nan,
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
    # Of a network of one's own the factors of the rate are not known.
    "weight_term": math.nan,
    "act_term": math.nan,
    "norm_term": math.nan,
    "skip_term": math.nan,
}


def told(*rows):
    return conclusions(pd.DataFrame([ROW | row for row in rows]), Spec())


def test_one_configuration_is_said_with_its_theory():
    assert told({}) == [
        "relu (init he, depth 20): on average a layer passes on 50 % of the gradient, where theory expects 48 %. Of 20 "
        "layers the first receives 1.9·10⁻⁶ of what the last does: it has next to nothing to learn from."
    ]


def test_why_it_is_so_is_said_where_it_is_known():
    terms = {"weight_term": 0.578, "act_term": 0.245, "norm_term": 1.0, "skip_term": 1.0}
    (said,) = told(terms)
    assert "of the gradient, where theory expects 48 %. In a layer the weights multiply it by 0.578 and the " in said
    assert "activation by 0.245. Of 20 layers" in said
    (said,) = told(terms | {"norm_term": 1.5})
    assert "the weights multiply it by 0.578, the activation by 0.245 and the normalisation by 1.5. Of" in said


def test_where_the_mean_and_the_whole_way_do_not_agree_only_the_whole_way_is_said():
    (said,) = told({"verdict": "healthy", "rate": 1.06, "first_last_ratio": 0.665})
    assert said.startswith("relu (init he, depth 20): of 20 layers the first receives 66.5 % of what the last does: ")


@pytest.mark.parametrize(
    ("row", "happens", "matters"),
    [
        (
            {"rate": 0.77, "first_last_ratio": 0.0071, "rate_theory": math.nan},
            "on average a layer passes on 77 % of the gradient.",
            "Of 20 layers the first receives 0.71 % of what the last does: it has little to learn from.",
        ),
        (
            {"verdict": "healthy", "rate": 0.97, "rate_theory": 1.01, "first_last_ratio": 0.56},
            "on average a layer passes on 97 % of the gradient, where theory expects 101 %.",
            "Of 20 layers the first receives 56 % of what the last does: on the way the gradient neither vanishes nor "
            "explodes.",
        ),
        (
            {"verdict": "exploding", "rate": 2.01, "rate_lo": 2.0, "rate_theory": 1.99, "first_last_ratio": 5.44e5},
            "on average a layer makes the gradient 2.01× as large, where theory expects 1.99×.",
            "Of 20 layers the first receives 5.44·10⁵× what the last does: a step that suits the last layer is far too "
            "large for it.",
        ),
        (
            {"verdict": "exploding", "rate": 0.9, "rate_theory": math.nan},  # by its loss, not by its rate
            "on average a layer passes on 90 % of the gradient.",
            "In most seeds its loss or its gradient is infinite or not a number, so that there is nothing to learn "
            "from.",
        ),
        (
            # an interval down to 1.2, which is 32 over 19 layers, would leave it undecided: it is by its loss
            {"verdict": "exploding", "rate": 1.3, "rate_lo": 1.2, "rate_theory": math.nan, "first_last_ratio": 146.0},
            "on average a layer makes the gradient 1.3× as large.",
            "In most seeds its loss or its gradient is infinite or not a number, so that there is nothing to learn "
            "from.",
        ),
        (
            {"verdict": "dead", "rate": 0.9, "rate_theory": math.nan, "skip": "residual"},
            "on average a layer passes on 90 % of the gradient.",
            "In most seeds all units of some layer are dead, and such a layer learns nothing.",
        ),
        (
            {"verdict": "undecided", "rate": 0.8, "rate_theory": math.nan, "first_last_ratio": 0.012},
            "on average a layer passes on 80 % of the gradient.",
            "Of 20 layers the first receives 1.2 % of what the last does: whether that is too little is not decided.",
        ),
        (
            {"verdict": "undecided", "rate": 1.2, "rate_theory": math.nan, "first_last_ratio": 80.0},
            "on average a layer makes the gradient 1.2× as large.",
            "Of 20 layers the first receives 80× what the last does: whether that is too much is not decided.",
        ),
        (
            # where the two ends are not what the rate over all layers says, nothing is made of them
            {"verdict": "vanishing", "rate": 0.7, "rate_theory": math.nan, "first_last_ratio": 0.5},
            "on average a layer passes on 70 % of the gradient.",
            "Of 20 layers the first receives 50 % of what the last does.",
        ),
    ],
)
def test_what_happens_and_why_it_matters_is_said_of_every_verdict(row, happens, matters):
    said = happens + " " + matters
    name = "relu (init he, depth 20, skip residual)" if "skip" in row else "relu (init he, depth 20)"
    assert told(row) == [f"{name}: {said}"]
    assert told(row | {"model": "mine:net"}) == [f"mine:net on digits: {said}"]


def test_of_several_the_strongest_is_said_and_all_are_counted():
    (text,) = told({"rate": 0.9}, {"rate": 0.2, "act": "sigmoid"}, {"rate": 1.0, "verdict": "healthy"})
    assert text.startswith("3 configurations: 2 vanishing, 1 healthy. sigmoid (init he, depth 20)")


def test_a_small_rate_over_many_layers_is_stronger_than_a_large_one_over_few():
    (text,) = told({"rate": 0.9, "depth": 200}, {"rate": 0.5, "depth": 5})
    assert "Of 200 layers" in text


def test_where_theory_is_silent_nothing_is_said_of_it():
    (text,) = told({"rate_theory": math.nan, "norm": "batch", "skip": "dense"})
    assert "theory" not in text
    assert "relu (init he, depth 20, norm batch, skip dense)" in text


@pytest.mark.parametrize("rate", [math.nan, math.inf])
def test_without_a_finite_rate_that_is_said(rate):
    row = {"rate": rate, "first_last_ratio": math.nan, "verdict": "undecided"}
    assert told(row) == ["relu (init he, depth 20) gave no finite rate."]
    assert told(row | {"no_gradient": "zero in 5 of 5 seeds"}) == [
        "relu (init he, depth 20) gave no finite rate: in no seed does every hidden layer receive a finite gradient.",
        "relu (init he, depth 20): at some hidden layer the gradient is zero in 5 of 5 seeds.",
    ]


def test_of_what_explodes_no_gradient_is_said_to_be_missing():
    lost = {"rate": math.nan, "first_last_ratio": math.nan, "verdict": "exploding"}
    text, why = told(lost | {"no_gradient": "infinite or not a number in 5 of 5 seeds"})
    assert text.endswith("In most seeds its loss or its gradient is infinite or not a number, so that there is nothing "
                         "to learn from.")  # fmt: skip
    assert why == (
        "relu (init he, depth 20): at some hidden layer the gradient is infinite or not a number in 5 of 5 seeds."
    )
    some = {"no_gradient": "zero in 1 of 5 seeds; infinite or not a number in 2 of 5 seeds"}
    _, why = told(some)
    assert why.endswith(
        "the gradient is zero in 1 of 5 seeds and infinite or not a number in 2 of 5 seeds; the rate leaves these "
        "seeds out."
    )
    own = {"model": "mine:net", "no_gradient": "conv1, conv2; infinite or not a number in 2 of 5 seeds"}
    assert told(own)[1] == (
        "mine:net on digits: no gradient reached conv1 and conv2, which the rate leaves out; its loss or its gradient "
        "is infinite or not a number in 2 of 5 seeds."
    )
    assert told(own | {"no_gradient": "infinite or not a number in 2 of 5 seeds"})[1] == (
        "mine:net on digits: its loss or its gradient is infinite or not a number in 2 of 5 seeds."
    )


ZERO = "In most seeds the gradient is exactly zero at every layer that reads the input: they learn nothing."


def test_where_no_gradient_comes_through_that_is_said():
    (text,) = told({"rate": math.nan, "first_last_ratio": 0.0})
    assert text == f"relu (init he, depth 20) gave no finite rate. {ZERO}"
    (text,) = told({"rate": math.nan, "first_last_ratio": math.nan, "verdict": "dead"})
    assert text.endswith("In most seeds all units of some layer are dead, and such a layer learns nothing.")


WHERE = "in the seeds in which every hidden layer receives a finite gradient, "
FEW = {"rate": 0.984, "rate_theory": math.nan, "first_last_ratio": 0.0, "no_gradient": "zero in 3 of 5 seeds"}


def test_the_rate_of_a_few_seeds_is_said_to_be_theirs():
    text, left_out = told(FEW)
    assert text == f"relu (init he, depth 20): {WHERE}on average a layer passes on 98.4 % of the gradient. {ZERO}"
    assert left_out == (
        "relu (init he, depth 20): at some hidden layer the gradient is zero in 3 of 5 seeds; the rate leaves these "
        "seeds out."
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"first_last_ratio": 0.0}, ZERO),
        (
            {"first_last_ratio": 0.19, "verdict": "dead"},
            "In most seeds all units of some layer are dead, and such a layer learns nothing.",
        ),
        (
            {
                "first_last_ratio": 0.19,
                "verdict": "exploding",
                "no_gradient": "infinite or not a number in 3 of 5 seeds",
            },
            "In most seeds its loss or its gradient is infinite or not a number, so that there is nothing to learn "
            "from.",
        ),
        (
            {"first_last_ratio": 0.19, "verdict": "undecided"},
            "Of 20 layers the first receives 19 % of what the last does, in the seeds in which both receive a finite "
            "gradient: whether that is too little is not decided.",
        ),
    ],
)
def test_what_is_said_of_other_seeds_is_not_said_to_be_of_those_of_the_rate(row, said):
    """The rate is of the seeds without a zero, what is so in most seeds is of all, and the ratio is of those in which
    its two layers receive a gradient."""
    grows, *_ = told(FEW | row | {"rate": 1.31})  # which does not agree with the whole way, so it is not told
    assert grows == f"relu (init he, depth 20): {said[0].lower()}{said[1:]}"
    shrinks, *_ = told(FEW | row)
    assert shrinks == (f"relu (init he, depth 20): {WHERE}on average a layer passes on 98.4 % of the gradient. {said}")


def test_of_a_sweep_each_line_is_said_once_and_some_are_said():
    sweep = [FEW | {"lr": lr, "remedy": "norm layer: vanishing"} for lr in (0.1, 0.2, 0.3)]
    lines = told(*sweep)
    assert sum("the rate leaves these seeds out" in line for line in lines) == 1
    assert sum("no remedy is shown" in line for line in lines) == 1
    lines = told(*(FEW | {"depth": depth} for depth in range(10, 18)))
    assert sum("the rate leaves these seeds out" in line for line in lines) == 6
    assert lines[-1] == "summary.csv has this of 2 more, as no_gradient."


def test_of_a_network_whose_first_layer_is_frozen_the_first_with_a_gradient_is_meant():
    frozen = {"model": "mine:net", "no_gradient": "conv1", "verdict": "healthy", "rate": 0.9, "first_last_ratio": 0.5}
    text, left_out = told(frozen)
    assert "Of the layers that received a gradient the first receives 50 % of what the last does: " in text
    assert "no gradient reached conv1" in left_out


def test_a_training_that_diverged_is_told():
    _, said = told({"verdict": "healthy", "rate": 0.99, "diverged": 2, "lr": 4.0})
    start = "In training the loss became infinite or not a number in "
    assert said == f"{start}2 of 5 seeds of relu (init he, depth 20), lr 4."
    _, said = told(*({"diverged": 1, "lr": float(lr)} for lr in range(1, 6)), {"diverged": 0})
    assert said.count("1 of 5 seeds") == 3
    assert said.endswith("lr 3; and of 2 more.")


def test_one_factor_alone_multiplies():
    (said,) = told({"weight_term": 1.0, "act_term": 1.0, "norm_term": 1.0, "skip_term": 0.2})
    assert "In a layer the skip multiplies it by 0.2." in said


def test_one_hidden_layer_has_no_rate():
    (text,) = told({"rate": math.nan, "depth": 1, "first_last_ratio": math.nan})
    assert text.endswith("gave no finite rate: it has one layer, and a rate is that from one to another.")


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
    assert text.startswith("mine:net on digits: on average a layer passes on")


def test_the_advice_says_no_more_than_was_measured():
    """A mean rate nearest to 1 is no gradient that is shown to be the most level, and an expectation is no finding."""
    row = ROW | {"rate_hi": 0.51, "remedy": "init critical: rate 0.889 [0.748, 1.056]; norm batch: rate 1.2 [1.1, 1.3]"}
    told = advice(lambda: None, pd.DataFrame([row | {"rate_lo": 0.49}]), Spec(), None)
    assert "--init critical, under which theory expects a wide network to keep its gradient. " in told.what
    assert told.what.endswith("this has the mean rate nearest to 1.")
    assert tuple(told.changes[0]) == ("factor a layer", "0.500 [0.490, 0.510]", "0.889 [0.748, 1.056]")
