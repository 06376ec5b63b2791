"""Seeds of one and of two kinds, on numbers whose answer is known."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dnnlab.statistics.answers import packed
from dnnlab.statistics.crossed import crossed_difference, crossed_interval
from dnnlab.statistics.intervals import mean_interval
from dnnlab.statistics.quantity import ACCURACY, Quantity
from dnnlab.statistics.samples import by_guessing, compare, compare_independent, sample

EXAMPLES = 269
RATE, DEAD = (
    Quantity("rate", log=True),
    Quantity("dead", share=True, less_is_better=True, failed="collapsed", step="step"),
)


def rows(shares, seeds=None, base=0, guessing=0.1):
    """Seeds with these accuracies, on examples drawn for them."""
    rng = np.random.default_rng([base, len(shares)])
    right = [rng.permutation(EXAMPLES) < round(share * EXAMPLES) for share in shares]
    return {
        "seed": seeds if seeds is not None else list(range(len(shares))),
        "accuracy": [each.mean() for each in right],
        "right": [packed(each) for each in right],
        "guessing": [guessing] * len(shares),
    }


def dead(values, collapsed):
    return {"seed": range(len(values)), "dead": values, "collapsed": collapsed, "step": [0.01] * len(values)}


def test_without_answers_the_interval_is_over_seeds():
    values = [0.8, 0.82, 0.85]
    own = sample({"seed": [0, 1, 2], "accuracy": values}, Quantity("accuracy"))
    assert own.interval == mean_interval(values)
    assert own.succeeded.all()


def test_with_answers_it_is_over_seeds_and_examples():
    own = sample(rows([0.8, 0.82, 0.85]), ACCURACY)
    assert own.interval == crossed_interval(own.right)
    assert own.right.shape == (3, EXAMPLES)


def test_what_multiplies_is_averaged_as_its_logarithm():
    own = sample({"seed": [0, 1, 2], "rate": [0.5, 1.0, 2.0]}, RATE)
    assert own.interval.mean == pytest.approx(0.0)
    assert math.exp(own.interval.low) == pytest.approx(math.exp(mean_interval(np.log([0.5, 1, 2])).low))
    vanished = sample({"seed": [0, 1, 2], "rate": [0.5, 0.0, 2.0]}, RATE)
    assert vanished.succeeded.tolist() == [True, False, True]


def test_a_seed_measured_several_times_has_the_mean():
    own = sample(pd.DataFrame({"seed": [3, 3, 5], "value": [1.0, 2.0, 7.0]}), Quantity("value"))
    assert (own.seeds.tolist(), own.values.tolist()) == ([3, 5], [1.5, 7.0])


@pytest.mark.parametrize(("share", "examples"), [(0.1, 269), (0.114, 10_000), (0.5, 20)])
def test_guessing_stays_below_the_limit_with_probability_999_in_1000(share, examples):
    limit = round(by_guessing(share, examples) * examples)
    assert stats.binom.cdf(limit, examples, share) >= 0.999 > stats.binom.cdf(limit - 1, examples, share)


def test_a_seed_that_is_no_better_than_guessing_has_not_learned():
    own = sample(rows([0.85, 0.1, 0.83, 0.86, 0.15]), ACCURACY)
    assert own.succeeded.tolist() == [True, False, True, True, False]
    assert own.of_two_kinds
    assert own.interval == crossed_interval(own.right[[0, 2, 3]])
    expected = stats.binomtest(3, 5).proportion_ci(0.95, method="exact")
    assert (own.success.low, own.success.high) == pytest.approx((expected.low, expected.high))


def test_where_none_learned_all_are_of_one_kind():
    own = sample(rows([0.1, 0.12, 0.08]), ACCURACY)
    assert not own.succeeded.any()
    assert not own.of_two_kinds
    assert own.interval.n == 3


def test_a_seed_far_below_the_others_is_of_another_kind():
    own = sample(rows([0.85, 0.84, 0.86, 0.85, 0.5, 0.84, 0.86, 0.45]), ACCURACY)
    assert np.flatnonzero(~own.succeeded).tolist() == [4, 7]


@pytest.mark.parametrize("n", [3, 5, 10, 20])
def test_normal_values_are_rarely_divided(n):
    """At most one sample in a hundred, by simulation; their spread is so wide that the least distance plays no part."""
    rng = np.random.default_rng(n)
    divided = [
        sample({"seed": range(n), "accuracy": rng.normal(0, 10, n), "guessing": [0] * n}, ACCURACY).of_two_kinds
        for _ in range(2000)
    ]
    assert np.mean(divided) < 0.01 + 3 * math.sqrt(0.01 * 0.99 / 2000)


def test_two_configurations_are_compared_in_the_seeds_that_learned_in_both():
    a, b = sample(rows([0.80, 0.81, 0.79, 0.80]), ACCURACY), sample(rows([0.9, 0.1, 0.91, 0.9], base=1), ACCURACY)
    found = compare(a, b)
    kept = [0, 2, 3]
    assert found.difference == crossed_difference(a.right[kept], b.right[kept])
    assert found.difference.n == 3
    assert found.seeds == 4
    assert found.p == pytest.approx(2 * found.difference.p())
    assert found.sign is None  # more accurate, and not as often


def test_what_learns_more_often_is_better():
    """Ten seeds of one, one of the other: McNemar's test of nine differing pairs, times two."""
    a = sample(rows([0.85] + [0.1] * 9), ACCURACY)
    b = sample(rows([0.85] * 10, base=1), ACCURACY)
    found = compare(a, b)
    assert found.p == pytest.approx(2 * stats.binomtest(0, 9).pvalue)
    assert (found.sign, found.direction) == (1, 1)
    assert compare(b, a).direction == -1


def test_seeds_that_are_not_the_same_are_compared_by_fisher():
    a = sample(rows([0.85] * 2 + [0.1] * 8), ACCURACY)
    b = sample(rows([0.85] * 10, seeds=range(50, 60), base=1), ACCURACY)
    found = compare_independent(a, b)
    assert found.p == pytest.approx(2 * stats.fisher_exact([[2, 8], [10, 0]]).pvalue)
    assert found.direction == 1


def test_without_answers_seeds_that_are_not_the_same_are_compared_by_welch():
    a, b = ({"seed": range(4), "value": x} for x in ([1.0, 2.0, 3.0, 5.0], [2.0, 9.0, 4.0, 8.0]))
    found = compare_independent(*(sample(each, Quantity("value")) for each in (a, b)))
    assert found.p == pytest.approx(stats.ttest_ind(b["value"], a["value"], equal_var=False).pvalue)


def test_fewer_dead_units_are_better_and_a_collapse_is_worse():
    alive = sample(dead([0.1] * 9 + [0.12], [False] * 10), DEAD)
    often = sample(dead([0.1] * 1 + [1.0] * 9, [False] + [True] * 9), DEAD)
    assert compare(often, alive).direction == -1  # fewer dead
    assert compare(alive, often).direction == 1
    assert often.interval.mean == 0.1


def test_collapsed_seeds_are_counted_and_not_averaged():
    own = sample(dead([0.2, 1.0, 0.3, 0.25], [False, True, False, False]), DEAD)
    assert own.interval.mean == pytest.approx(0.25)
    assert own.success.mean == 0.75


def test_equal_shares_of_units_have_the_spread_of_half_a_step():
    own = sample(dead([0.2] * 4, [False] * 4), DEAD)
    assert own.interval.error == pytest.approx(0.005 / 2)


def test_only_seeds_in_common_are_paired_by_their_number():
    a = sample({"seed": [0, 1, 2], "value": [0.0, 10.0, 20.0]}, Quantity("value"))
    b = sample({"seed": [2, 1, 7], "value": [24.0, 12.0, 99.0]}, Quantity("value"))
    assert (compare(a, b).difference.mean, compare(a, b).difference.n) == (3.0, 2)


def test_under_three_seeds_there_is_no_direction():
    a, b = ({"seed": range(2), "value": x} for x in ([0.0, 1.0], [100.0, 101.5]))
    assert compare(*(sample(each, Quantity("value")) for each in (a, b))).direction is None


def test_a_multiple_is_that_of_values_answers_and_steps():
    own = sample(rows([0.8, 0.82, 0.85]), ACCURACY)
    assert own.scaled(0.5).interval.mean == pytest.approx(own.interval.mean / 2)
    rates = sample({"seed": [0, 1], "rate": [1.0, 2.0]}, RATE)
    assert np.exp(rates.scaled(3.0).values).tolist() == pytest.approx([3.0, 6.0])


@pytest.mark.parametrize(("zeros", "others", "mean"), [(2, 8, 0.001), (5, 5, 0.001), (6, 4, 0.0), (10, 0, 0.0)])
def test_a_seed_that_is_exactly_zero_lies_below_every_limit(zeros, others, mean):
    """It has no logarithm: the mean is that of the others, until most are 0; the median is tested by their signs."""
    own = sample({"seed": range(zeros + others), "rate": [0.0] * zeros + [0.001] * others}, RATE)
    assert math.exp(own.interval.mean) == pytest.approx(mean)
    n = zeros + others
    assert own.p_of_median(math.log(0.01)) == pytest.approx(stats.binomtest(n, n).pvalue)
    expected = stats.binomtest(others, n).pvalue if zeros and others else stats.binomtest(n, n).pvalue
    assert own.p_of_median(math.log(1e-9)) == pytest.approx(expected)
    unknown = sample({"seed": range(n + 1), "rate": [0.0] * zeros + [0.001] * others + [math.nan]}, RATE)
    assert unknown.p_of_median(math.log(0.01)) == own.p_of_median(math.log(0.01))


def test_zeros_count_among_all_seeds_also_those_that_are_not_known():
    """Five of twelve are zero and three unknown: the mean is that of the other four. Seven of twelve are most."""
    rates = [0.0] * 5 + [0.001] * 4 + [math.nan] * 3
    assert sample({"seed": range(12), "rate": rates}, RATE).interval.mean == pytest.approx(math.log(0.001))
    rates[5:7] = [0.0, 0.0]
    assert sample({"seed": range(12), "rate": rates}, RATE).interval.mean == -math.inf
