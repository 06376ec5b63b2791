"""Rates and verdicts from gradients whose rate is known."""

import math

import numpy as np
import pandas as pd
import pytest

from dnnlab.gradient_flow import columns as c
from dnnlab.gradient_flow import summary as gradient_flow_summary
from dnnlab.gradient_flow.layers import Measured, measured_at
from dnnlab.gradient_flow.spec import Spec
from dnnlab.gradient_flow.summary import summarise, verdict
from dnnlab.runner.summary import groups
from dnnlab.statistics.intervals import log_interval, mean_interval

DEPTH = 21
"""Twenty transitions: a rate is unhealthy beyond 100^(1/20) = 1.259."""


NEAR_HALF = [0.5, 0.501, 0.499, 0.502, 0.5]


def of_rates(rates, dead=(), infinite=()):
    """Seeds whose δ changes by exactly these factors from a layer to the one before it."""
    to_the_last = np.arange(DEPTH - 1, -1, -1)
    delta = np.array([float(rate) ** to_the_last for rate in rates])
    alone = np.zeros((len(rates), DEPTH))
    for seed in dead:
        alone[seed, 3] = 1.0
    loss = [math.inf if seed in infinite else 2.3 for seed in range(len(rates))]
    return Measured({"delta_norm": delta, "dead_fraction": alone}, pd.DataFrame({"loss": loss}))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (of_rates(NEAR_HALF), c.VANISHING),
        (of_rates([2.0, 2.01, 1.99, 2.0, 2.02]), c.EXPLODING),
        (of_rates([1.0, 1.02, 0.98]), c.HEALTHY),
        (of_rates([1.25, 1.26, 1.27]), c.UNDECIDED),
        (of_rates(NEAR_HALF[:2]), c.UNDECIDED),
        (of_rates([0.5] * 5), c.UNDECIDED),
        (of_rates(NEAR_HALF, dead=[0, 1, 2]), c.DEAD),
        (of_rates(NEAR_HALF, dead=[0, 1]), c.VANISHING),
        (of_rates([1.0] * 5, infinite=[0, 1, 2]), c.EXPLODING),
        (of_rates([0.0, 0.0, 0.0, 1.0, 1.0]), c.VANISHING),
        (of_rates([0.0, 1.0, 1.0, 1.0, 1.0]), c.UNDECIDED),
        (of_rates([0.0, *NEAR_HALF[1:]]), c.VANISHING),
        (of_rates([1.0, 1.02, 0.98, 1.01, 1.0], infinite=[0]), c.UNDECIDED),
        (of_rates([2.0, 2.01, 1.99, 2.0, 2.02], infinite=[0]), c.EXPLODING),
    ],
    ids=[
        "halves",
        "doubles",
        "level",
        "at the limit",
        "two seeds",
        "without any spread",
        "most are dead",
        "some are dead",
        "no loss",
        "most are zero",
        "some are zero",
        "some are zero, the others vanish",
        "some have no loss",
        "some have no loss, the others explode",
    ],
)
def test_a_verdict_is_that_of_the_rate(seen, expected):
    assert verdict(seen, mean_interval(seen.log_rates().tolist())) == expected


def test_the_rate_is_the_slope_of_a_straight_line_through_the_logarithms():
    rng = np.random.default_rng(0)
    delta = np.exp(rng.normal(size=(4, DEPTH)))
    seen = Measured({"delta_norm": delta}, pd.DataFrame(index=range(4)))
    slopes = [-np.polyfit(np.arange(DEPTH), np.log(each), 1)[0] for each in delta]
    np.testing.assert_allclose(seen.log_rates(), slopes, rtol=1e-10)


def zeros_below(*layers, depth=4):
    """Seeds whose δ halves from a layer to the one before it, and is zero up to a layer; 0 for none."""
    delta = np.array([[0.0 if k < first else 0.5 ** (depth - 1 - k) for k in range(depth)] for first in layers])
    return Measured({"delta_norm": delta, "dead_fraction": 0 * delta}, pd.DataFrame({"loss": [2.3] * len(layers)}))


def test_the_first_layer_over_the_last_is_that_of_these_two_layers():
    """1/8 where all receive a gradient; 0 where the first receives none, whatever the last receives."""
    seen = zeros_below(0, 1, 3, 4)
    np.testing.assert_allclose(np.exp(seen.log_first_to_last()), [1 / 8, 0, 0, 0])
    assert seen.left_out() == ["zero in 3 of 4 seeds"]
    assert math.exp(log_interval(seen.log_first_to_last()).mean) == 0
    assert math.exp(log_interval(zeros_below(0, 0, 1, 4).log_first_to_last()).mean) == pytest.approx(1 / 8)
    skipped = zeros_below(0, 0)
    skipped.layers["delta_norm"][0, 2] = 0.0  # a skip leads past the dead layer
    skipped.layers["delta_norm"][1, 3] = 0.0
    np.testing.assert_allclose(np.exp(skipped.log_first_to_last()), [1 / 8, math.nan])


def test_zero_in_most_is_of_all_seeds_as_in_the_verdict():
    """Of three that are known two are zero; of all five they are less than half."""
    logs = np.log([0.5, 1.0, 1.0, math.nan, math.nan])
    logs[1:3] = -math.inf
    assert math.exp(log_interval(logs).mean) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("network", "output", "ratio", "word"),
    [("", 77.0, 0.0, c.VANISHING), ("", 0.0, math.nan, c.UNDECIDED), ("mine:net", 77.0, math.nan, c.UNDECIDED)],
    ids=["the output receives a gradient", "it receives none either", "a branch of one's own that starts at zero"],
)
def test_a_gradient_that_is_zero_at_all_hidden_layers_has_vanished(network, output, ratio, word):
    table = rows([0.5] * 3).assign(**OWN | INPUTS | SPREADS | {"model": network})
    delta = table["delta_norm"].mask(table["layer"].isin([1, 2, 3]), 0.0).mask(table["layer"] == 4, output)
    row = summarise(table.assign(delta_norm=delta), Spec()).iloc[0]
    assert (row["first_last_ratio"], row["verdict"]) == (pytest.approx(ratio, nan_ok=True), word)


def test_seeds_that_are_zero_at_layer_1_and_at_all_layers_are_counted_together():
    """Two of five seeds each, so that neither of them are most."""
    table = rows(NEAR_HALF, ("",) * 5).assign(**OWN | INPUTS | SPREADS)
    layer, seed = table["layer"], table["seed"]
    delta = table["delta_norm"].mask((seed < 2) & (layer == 1), 0.0)
    row = summarise(table.assign(delta_norm=delta), Spec()).iloc[0]
    assert row["first_last_ratio"] == pytest.approx(1 / 4, rel=0.01)
    delta = delta.mask(seed.isin([2, 3]) & layer.isin([1, 2, 3]), 0.0)
    row = summarise(table.assign(delta_norm=delta), Spec()).iloc[0]
    assert (row["first_last_ratio"], row["verdict"]) == (0, c.VANISHING)
    seeds = gradient_flow_summary.per_cell(table.assign(delta_norm=delta), Spec())
    assert seeds["first_last_ratio"].tolist() == [0, 0, 0, 0, pytest.approx(1 / 4)]


def test_what_explodes_is_not_said_to_receive_no_gradient():
    table = rows([0.5, 0.5, 0.5]).assign(**OWN | INPUTS | SPREADS)
    lost = table["seed"] < 2
    nan = table.assign(
        delta_norm=table["delta_norm"].mask(lost, math.nan), loss=table["loss"].mask(lost & (table["layer"] == 0))
    )
    row = summarise(nan, Spec()).iloc[0]
    assert (row["no_gradient"], row["verdict"]) == ("infinite or not a number in 2 of 3 seeds", c.EXPLODING)
    infinite = table.assign(delta_norm=table["delta_norm"].mask(lost & (table["layer"] == 1), math.inf))
    infinite.loc[(infinite["seed"] == 2) & (infinite["layer"] == 2), "delta_norm"] = 0.0
    row = summarise(infinite, Spec()).iloc[0]
    assert row["no_gradient"] == "zero in 1 of 3 seeds; infinite or not a number in 2 of 3 seeds"
    assert row["verdict"] == c.EXPLODING
    own = nan.assign(model="mine:net")
    assert summarise(own, Spec()).iloc[0]["no_gradient"] == "infinite or not a number in 2 of 3 seeds"
    own.loc[(own["seed"] == 2) & (own["layer"] == 1), "delta_norm"] = math.nan  # frozen, with a finite loss
    row = summarise(own, Spec()).iloc[0]
    assert row["no_gradient"] == "layer 1; infinite or not a number in 2 of 3 seeds"


def test_of_a_network_of_ones_own_layers_that_no_gradient_can_reach_do_not_count():
    seen = zeros_below(1, 1)
    places = np.tile(np.arange(1.0, 5.0), (2, 1))
    own = Measured(
        seen.layers | {"delta_norm": np.where(seen.layers["delta_norm"] == 0, math.nan, seen.layers["delta_norm"])},
        seen.network,
        reads_input=np.array([0]),
    )
    own.layers["layer"] = places
    np.testing.assert_allclose(np.exp(own.log_first_to_last()), 1 / 4)
    seen.layers["layer"] = places
    assert np.exp(seen.log_first_to_last()).tolist() == [0, 0]  # it vanished


def test_seeds_without_a_gradient_are_counted_in_the_table():
    table = rows([0.5, 0.5, 0.5]).assign(**OWN | INPUTS | SPREADS)
    table.loc[(table["seed"] == 0) & table["layer"].isin([1, 2]), "delta_norm"] = 0.0
    row = summarise(table, Spec()).iloc[0]
    assert row["no_gradient"] == "zero in 1 of 3 seeds"
    assert row["first_last_ratio"] == pytest.approx(1 / 4)
    table.loc[(table["seed"] == 1) & (table["layer"] == 1), "delta_norm"] = 0.0
    row = summarise(table, Spec()).iloc[0]
    assert (row["no_gradient"], row["first_last_ratio"], row["rate"]) == (
        *("zero in 2 of 3 seeds", 0),
        pytest.approx(0.5),
    )


def test_the_share_of_clipped_steps_is_of_all_steps():
    """9 of the first 10 steps and 1 of the next 30 are clipped: 10 of 40."""
    table = trained([1.0] * 3, [0.1, 0.2, 0.3])
    later = table[table["step"] == 10].assign(step=40)
    table = pd.concat([table, later], ignore_index=True)
    table["clipped_share"] = table["step"].map({10: 0.9, 40: 1 / 30}).where(table["layer"] == 0)
    assert summarise(table, Spec(steps=40)).iloc[0]["clipped_share"] == pytest.approx(10 / 40)


def test_the_terms_multiply_to_the_rate():
    """Whatever the four factors are, as long as they multiply to the ratio of two δ."""
    rng = np.random.default_rng(1)
    names = ("weight_factor", "act_factor", "norm_factor", "skip_factor")
    factors = {name: np.exp(rng.normal(size=(3, DEPTH))) for name in names}
    ratios = np.prod(list(factors.values()), axis=0)[:, :-1]  # δ of a layer over δ of the next
    delta = np.concatenate([np.cumprod(ratios[:, ::-1], axis=1)[:, ::-1], np.ones((3, 1))], axis=1)
    seen = Measured({"delta_norm": delta, **factors}, pd.DataFrame(index=range(3)))
    assert sum(seen.log_terms().values()) == pytest.approx(float(np.mean(seen.log_rates())))


def rows(rates, error=("", "", "")):
    """Of one configuration, as ``cells.csv`` has them: three hidden layers and an output."""
    found = []
    for seed, (rate, why) in enumerate(zip(rates, error, strict=True)):
        for layer in range(5):
            row = {column.name: math.nan if column.dtype is float else "" for column in c.CELLS}
            row |= {"model": "mine:net", "data": "digits", "depth": 0, "width": 0, "batch_size": 128, "seed": seed}
            row |= {"optimizer": "sgd", "lr": 0.01, "weight_decay": 0.0, "dropout": 0.0, "clip": 0.0, "step": 0}
            place = ["", c.FIRST, c.HIDDEN, c.HIDDEN, c.OUTPUT][layer]
            row |= {"layer": layer, "name": f"layer {layer}", "place": place, "error": why}
            if layer:  # the output's δ is of another size, and must not count
                row |= {"delta_norm": rate ** (3 - layer) if layer < 4 else 77.0, "dead_fraction": 0.0}
                row |= {"saturation": 0.25, "zero_fraction": 0.5}
            else:
                row["loss"] = 2.3
            found.append(row)
    return pd.DataFrame(found)


def test_a_table_has_the_geometric_mean_of_the_seeds_that_were_measured():
    table = summarise(rows([0.5, 2.0, 8.0], error=("", "", "went wrong")), Spec())
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["seeds"], row["failed"], row["depth"], row["verdict"]) == (2, 1, 3, c.UNDECIDED)
    assert row["rate"] == pytest.approx(1.0)
    assert row["first_last_ratio"] == pytest.approx(1.0)
    assert row["saturation"] == pytest.approx(0.25)


def trained(rates, first_changes, loss=2.0):
    """Seeds that were measured before and after ten steps, in which layer k changed by k times what the first did."""
    none = ("",) * len(rates)
    before, after = rows([1.0] * len(rates), none), rows(rates, none).assign(step=10)
    layer = after["layer"].to_numpy()
    change = np.asarray(first_changes, float)[after["seed"]] * layer
    losses = np.where(layer == 0, np.broadcast_to(loss, len(rates))[after["seed"]], math.nan)
    after = after.assign(weight_change=np.where(layer > 0, change, math.nan), loss=losses, accuracy=0.5)
    return pd.concat([before, after], ignore_index=True)


def test_what_training_did_to_the_gradient_and_to_the_weights_is_told_with_intervals():
    table = summarise(trained([0.5, 2.0, 8.0], [0.1, 0.2, 0.3]), Spec(steps=10))
    row = table.iloc[0]
    assert row["rate_end"] == pytest.approx(2.0)  # the geometric mean
    assert row["first_change"] == pytest.approx(0.2)
    half = 4.302653 * 0.1 / math.sqrt(3)  # Student's t of two degrees of freedom
    assert (row["first_change_lo"], row["first_change_hi"]) == pytest.approx((0.2 - half, 0.2 + half), rel=1e-5)
    assert row["change_spread"] == pytest.approx(3.0)  # hidden layer 3 over hidden layer 1; the output does not count
    assert row["loss"] == pytest.approx(2.0)


def test_a_seed_that_diverged_has_no_part_in_what_training_did():
    table = trained([0.5, 0.5, 0.5, 9.0], [0.1, 0.2, 0.3, 1e9], loss=[2.0, 2.1, 1.9, math.inf])
    row = summarise(table, Spec(steps=10)).iloc[0]
    assert row["rate_end"] == pytest.approx(0.5)
    assert row["first_change"] == pytest.approx(0.2)
    assert row["loss"] == pytest.approx(2.0)
    seeds = gradient_flow_summary.per_cell(table, Spec(steps=10))
    assert seeds["loss"].isna().tolist() == [False, False, False, True]


def test_weights_that_did_not_move_have_an_interval_as_wide_as_float32_can_tell():
    row = summarise(trained([1.0] * 3, [0.0] * 3), Spec(steps=10)).iloc[0]
    assert row["first_change"] == 0
    assert 0 < row["first_change_hi"] < 1e-6
    assert math.isnan(row["change_spread"])


def test_without_training_nothing_is_said_of_its_end():
    row = summarise(rows([0.5, 2.0, 8.0]), Spec()).iloc[0]
    assert all(math.isnan(row[name]) for name in ("rate_end", "first_change", "change_spread", "loss"))


def test_the_output_layer_does_not_count():
    ((_, group),) = groups(rows([0.5, 0.5, 0.5]), c.CONFIGURATION)
    seen = measured_at(group, 0)
    assert seen.depth == 3
    np.testing.assert_allclose(np.exp(seen.log_rates()), 0.5)


def test_the_last_layer_of_a_run_that_does_not_say_where_layers_stand_is_the_output():
    known = rows([0.5, 0.5, 0.5])
    older = known.assign(place="")
    for table in (known, older):
        ((_, group),) = groups(table, c.CONFIGURATION)
        seen = measured_at(group, 0)
        assert (seen.names, seen.reads_input.tolist()) == (("layer 1", "layer 2", "layer 3"), [0])
        np.testing.assert_allclose(np.exp(seen.log_rates()), 0.5)


def test_a_configuration_whose_seeds_all_failed_is_a_row_that_says_so():
    row = summarise(rows([1.0, 1.0, 1.0], error=("no",) * 3), Spec()).iloc[0]
    assert (row["seeds"], row["failed"], row["verdict"]) == (0, 3, c.UNDECIDED)
    assert math.isnan(row["rate"])


def test_two_rows_of_one_layer_are_refused():
    table = rows([0.5, 0.5, 0.5])
    ((_, group),) = groups(pd.concat([table, table.iloc[[1]]]), c.CONFIGURATION)
    with pytest.raises(ValueError, match="two rows of one layer"):
        measured_at(group, 0)


OWN = {"model": "", "act": "tanh", "init": "he", "norm": "none", "skip": "none", "depth": 3, "width": 8}
INPUTS = {"input_mean_square": 1.0, "input_variance": 0.9, "input_features": 64.0, "classes": 10.0}
SPREADS = {"input_square_spread": 0.2, "input_product_spread": 0.1}


def test_theory_stands_beside_the_rate():
    row = summarise(rows([0.5, 2.0, 8.0]).assign(**OWN | INPUTS | SPREADS), Spec()).iloc[0]
    assert row["theory_lo"] < row["rate_theory"] < row["theory_hi"]
    assert row["max_depth"] > 0
    assert row["no_theory"] == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (INPUTS, "earlier version"),
        (INPUTS | SPREADS | {"width": 4}, "less than 8 units"),
        (INPUTS | SPREADS | {"norm": "batch", "batch_size": 3}, "less than 4 examples"),
        ({"model": "mine:net"}, "fully connected networks of dnnlab"),
    ],
)
def test_where_theory_is_silent_the_row_says_why(changes, reason):
    row = summarise(rows([0.5, 2.0, 8.0]).assign(**OWN | changes), Spec()).iloc[0]
    assert math.isnan(row["rate_theory"])
    assert math.isnan(row["z"])
    assert reason in row["no_theory"]
    assert row["rate"] == pytest.approx(2.0)


def test_thousands_of_configurations_are_summarised_as_each_alone(monkeypatch):
    """What is computed at once for all of them changes no bit, wherever they are cut into parts."""
    monkeypatch.setattr(gradient_flow_summary, "_TOGETHER", 3)
    single = [rows([0.5, 2.0, 8.0]).assign(**OWN | INPUTS | SPREADS | {"width": width}) for width in range(4, 12)]
    together = summarise(pd.concat(single, ignore_index=True), Spec())
    assert together["remedy"].notna().all()
    alone = pd.concat([summarise(table, Spec()) for table in single], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone, check_exact=True)
