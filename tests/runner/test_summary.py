"""What all summaries share, on tables small enough to be worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from dnnlab.runner.summary import (
    against,
    by_configuration,
    compared,
    configurations,
    corrected,
    diverged,
    failed,
    geometric,
    groups,
    has_error,
    mean,
    measured,
    mostly_diverged,
    named,
    not_learned,
    tally,
    unseen,
)
from dnnlab.statistics.comparisons import paired
from dnnlab.statistics.intervals import Interval, mean_interval
from dnnlab.statistics.quantity import Quantity

NOTHING = pd.DataFrame()


VALUES = Quantity("accuracy")


def seeds(values, start=0):
    """One row a seed."""
    return pd.DataFrame({"seed": range(start, start + len(values)), "accuracy": values})


@pytest.fixture
def rows():
    """Two rows a seed and configuration; each kind of error that a table can hold, and of no error."""
    return pd.DataFrame(
        {
            "act": ["tanh"] * 6 + ["relu"] * 2,
            "lr": [0.1] * 6 + [math.nan] * 2,
            "seed": [0, 0, 1, 1, 2, 2, 0, 0],
            "error": ["", "", "killed", "killed", None, "no memory", math.nan, None],
        }
    )


def test_configurations_keep_the_order_of_the_plan_and_those_with_a_missing_value(rows):
    (first, tanh), (second, relu) = configurations(rows, ("act", "lr"))
    assert first == {"act": "tanh", "lr": 0.1}
    assert second["act"] == "relu"
    assert math.isnan(second["lr"])
    assert (len(tanh), len(relu)) == (6, 2)


def test_groups_are_the_configurations_as_arrays(rows):
    shuffled = rows.iloc[[6, 0, 2, 4, 7, 1, 3, 5]]
    found, expected = list(groups(shuffled, ("act", "lr"))), list(configurations(shuffled, ("act", "lr")))
    assert [str(configuration) for configuration, _ in found] == [str(configuration) for configuration, _ in expected]
    for (_, group), (_, frame) in zip(found, expected, strict=True):
        assert len(group) == len(frame)
        assert group["seed"].tolist() == frame["seed"].tolist()
        assert group.failed == failed(frame)
        assert group.measured["seed"].tolist() == measured(frame)["seed"].tolist()
        assert group.where(group["seed"] == 1).measured["seed"].tolist() == [
            seed for seed in measured(frame)["seed"] if seed == 1
        ]
    assert list(groups(rows.head(0), ("act", "lr"))) == []


def test_numbers_that_are_missing_from_whole_ones_are_nan_in_a_group():
    table = pd.DataFrame({"act": ["relu"] * 2, "step": pd.array([3, None], "Int64"), "error": ["", "lost"]})
    ((_, group),) = groups(table, ["act"])
    assert group["step"].tolist() == [3, pytest.approx(math.nan, nan_ok=True)]
    ((_, whole),) = groups(table.head(1), ["act"])
    assert [type(step) for step in whole["step"].tolist()] == [int]


def test_one_name_is_enough(rows):
    assert [configuration for configuration, _ in configurations(rows, ["act"])] == [{"act": "tanh"}, {"act": "relu"}]
    assert list(by_configuration(rows, ["act"])) == [("tanh",), ("relu",)]


def test_rows_are_found_by_the_values_of_their_configuration(rows):
    assert by_configuration(rows, ("act", "seed"))["tanh", 2].index.tolist() == [4, 5]


def test_without_rows_there_is_no_configuration():
    assert list(configurations(NOTHING, ("act",))) == []
    assert by_configuration(NOTHING, ("act",)) == {}


def test_only_a_text_is_an_error(rows):
    assert has_error(rows).tolist() == [False, False, True, True, False, True, False, False]
    assert measured(rows).index.tolist() == [0, 1, 4, 6, 7]


def test_a_seed_fails_once_whatever_number_of_its_rows_do(rows):
    """Seed 1 failed in both rows, seed 2 in one of two: to count rows would give three, and to count what is not an
    empty text, with the nan of seed 0, five."""
    assert failed(rows) == 2
    assert failed(rows[rows["act"] == "relu"]) == 0
    assert failed(rows[2:4]) == 1
    assert failed(rows[:0]) == 0


def test_what_is_no_number_diverged():
    assert diverged(pd.Series([0.1, math.inf, -math.inf, math.nan, 2.0])) == 3
    assert diverged(pd.Series([0.1, None], dtype=object)) == 1


def test_half_of_the_seeds_are_not_most_of_them():
    assert not mostly_diverged({"seeds": 4, "diverged": 2})
    assert mostly_diverged({"seeds": 4, "diverged": 3})
    assert not mostly_diverged({"seeds": 0, "diverged": 0})
    table = pd.DataFrame({"seeds": [4, 4, 0], "diverged": [2, 3, 0]})
    assert mostly_diverged(table).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "values",
    [
        [1.0, math.inf, 4.0, math.nan],
        np.array([[1.0, math.nan], [4.0, -math.inf]]),
        pd.Series([1.0, 4.0, math.nan]),
        pd.Series([1.0, 4.0, None], dtype=object),
    ],
    ids=["list", "matrix", "series", "objects"],
)
def test_a_mean_is_of_the_finite(values):
    assert mean(values) == 2.5


def test_there_may_be_no_mean():
    assert math.isnan(mean([]))
    assert math.isnan(mean([math.nan, math.inf]))


def test_a_geometric_mean_is_the_mean_of_the_logarithms():
    two = geometric(Interval(math.log(4.0), math.log(2.0), math.log(8.0), 3))
    assert (two.mean, two.low, two.high, two.n) == pytest.approx((4.0, 2.0, 8.0, 3))
    assert geometric(Interval(2.0, 1.0, 3.0, 3), lambda x: 2**x) == Interval(4.0, 2.0, 8.0, 3)
    alone = geometric(mean_interval([0.0]))
    assert alone.mean == 1.0
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_seeds_are_paired_by_their_number_and_not_by_their_place():
    """Of seeds 1 and 2, which both have, the differences are 2 and 4."""
    found = compared(seeds([0.0, 10.0, 20.0]), seeds([24.0, 12.0, 99.0]).assign(seed=[2, 1, 7]), VALUES)
    assert (found.difference.mean, found.difference.n) == (3.0, 2)


def test_a_seed_without_a_number_has_no_part_in_a_comparison():
    found = compared(seeds([1.0, 2.0, math.nan]), seeds([2.0, math.inf, 5.0]), VALUES)
    assert (found.difference.mean, found.difference.n) == (1.0, 1)
    assert found.p == 1  # each of the two has one seed without a number: that says nothing


@pytest.mark.parametrize(
    ("reference", "other"),
    [(None, seeds([1.0])), (seeds([1.0]), None), (None, None), (seeds([1.0]), seeds([1.0], start=5))],
    ids=["no reference", "no other", "neither", "no seed in common"],
)
def test_nothing_in_common_compares_nothing(reference, other):
    found = compared(reference, other, VALUES)
    assert found.difference.n == 0
    assert math.isnan(found.difference.mean)
    assert math.isnan(found.p)


A, B, C = [0.1, 0.2, 0.3], [0.2, 0.4, 0.5], [0.1, 0.3, 0.2]


def test_p_values_are_corrected_for_their_number_and_nothing_else_changes():
    raw = [paired(A, B), paired(A, C), paired([], [])]
    found = corrected(raw)
    assert found[0].p == pytest.approx(2 * raw[0].p)
    assert found[1].p == pytest.approx(max(2 * raw[0].p, raw[1].p))
    assert math.isnan(found[2].p)
    assert [x.difference for x in found[:2]] == [x.difference for x in raw[:2]]


@pytest.mark.parametrize("rows", [1, 10])
def test_the_visible_difference_counts_the_rows_of_the_table(rows):
    """By simulation: in a table of rows without a difference, one that is as large as `visible` is shown in .8 of all
    tables, whatever the number of rows."""
    rng, visible, shown = np.random.default_rng(0), [], 0
    for _ in range(300):
        table = corrected([paired(np.zeros(6), rng.normal(0, 1, 6)) for _ in range(rows)])
        visible.append(table[0].visible / table[0].difference.error)
        # The standard error is known here: that of six normal values is 1/√6.
        gap = np.mean(visible) / math.sqrt(6)
        others = [paired(np.zeros(6), rng.normal(0, 1, 6)) for _ in range(rows - 1)]
        shown += corrected([paired(np.zeros(6), rng.normal(gap, 1, 6)), *others])[0].p < 0.05
    assert shown / 300 == pytest.approx(0.8, abs=0.07)


def test_the_largest_visible_difference_of_several_rows_is_told_as_that():
    table = pd.DataFrame({"verdict": ["no difference", "more accurate", "no difference"], "visible": [0.02, 0.9, 0.05]})
    (told,) = unseen(table, "no difference")
    assert told.startswith("A difference of 5 points would most likely have been shown in any of these 2 rows;")
    (told,) = unseen(table[:2], "no difference")
    assert told.startswith("A difference of 2 points would most likely have been shown;")
    assert unseen(table[1:2], "no difference") == []


def test_seeds_that_did_not_learn_are_told_also_where_none_did():
    table = pd.DataFrame(
        {
            "arch": ["a", "b", "c", "d"],
            "seeds": [5, 5, 5, 1],
            "learned": [5, 4, 0, 0],
            "learned_lo": [0.478, 0.284, 0, 0],
            "learned_hi": [1, 0.995, 0.522, 0.975],
            "accuracy": [0.9, 0.9, 0.1, math.nan],
        }
    )
    told = not_learned(table, lambda row: row["arch"])
    assert told == [
        "b: 1 of 5 seeds did not learn or fell far behind the others, a share between 0.500 % and 71.6 %; its accuracy "
        "is that of the others.",
        "c: none of 5 seeds is shown to be better than guessing.",
    ]


@pytest.mark.parametrize("reference", [0, 1])
def test_each_is_compared_with_the_reference_which_is_compared_with_nothing(reference):
    """Two comparisons are made of four rows: one row is the reference, another has no part."""
    others = [seeds(B), None, seeds(C)]
    found = against([*others[:reference], seeds(A), *others[reference:]], VALUES, reference)
    mine = found.pop(reference)
    assert mine.difference.n == 0
    assert math.isnan(mine.p)
    assert [x.difference.n for x in found] == [3, 0, 3]
    assert found[0].difference.mean == pytest.approx(0.5 / 3)
    assert found[0].p == pytest.approx(2 * paired(A, B).p)


def test_a_reference_without_rows_leaves_all_uncompared():
    assert [x.difference.n for x in against([None, seeds(B)], VALUES)] == [0, 0]


def test_intervals_become_three_columns():
    two = [Interval(1.0, 0.5, 1.5, 3), Interval(2.0, 1.0, 3.0, 3)]
    assert named(two, "gain") == {"gain": [1.0, 2.0], "gain_lo": [0.5, 1.0], "gain_hi": [1.5, 3.0]}
    assert list(named(two, "gain_over_random", "gain")) == ["gain_over_random", "gain_lo", "gain_hi"]
    assert two[0].named("gain") == {"gain": 1.0, "gain_lo": 0.5, "gain_hi": 1.5}
    assert list(two[0].named("gain_over_random", "gain")) == ["gain_over_random", "gain_lo", "gain_hi"]


def test_a_tally_begins_with_the_most_frequent():
    assert tally(pd.Series(["healthy", "vanishing", "vanishing"])) == "2 vanishing, 1 healthy"
    assert tally(pd.Series([], dtype=object)) == ""
