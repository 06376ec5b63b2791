"""Statistics against scipy's own tests, a worked example of Holm, and what must hold for any numbers."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from dnnlab.statistics.comparisons import false_discovery, holm, paired, unpaired
from dnnlab.statistics.intervals import finite, mean_interval, share_interval

numbers = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=3, max_size=12)
probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=12)
SAMPLES = [np.random.default_rng(i).normal(0.3 * i, 1 + i, 6 + i).tolist() for i in range(4)]


@pytest.mark.parametrize("a", SAMPLES)
def test_mean_and_interval_are_those_of_a_t_test(a):
    ours = mean_interval(a)
    low, high = scipy_stats.ttest_1samp(a, 0).confidence_interval(0.95)
    assert (ours.mean, ours.low, ours.high, ours.n) == pytest.approx((np.mean(a), low, high, len(a)))


def test_of_one_value_there_is_no_interval_and_of_none_no_mean():
    one, none = mean_interval([2.0]), mean_interval([])
    assert (one.mean, one.n) == (2.0, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert math.isnan(none.mean)
    assert none.n == 0


def test_what_diverged_is_left_out_of_the_mean():
    values = [1.0, math.nan, 3.0, math.inf, 5.0, -math.inf]
    assert finite(values).tolist() == [1, 3, 5]
    assert mean_interval(values) == mean_interval([1.0, 3.0, 5.0])


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(SAMPLES, 2)))
def test_paired_is_the_paired_t_test(a, b):
    n = min(len(a), len(b))
    ours, theirs = paired(a[:n], b[:n]), scipy_stats.ttest_rel(b[:n], a[:n])
    low, high = theirs.confidence_interval(0.95)
    assert ours.p == pytest.approx(theirs.pvalue)
    assert (ours.difference.low, ours.difference.high) == pytest.approx((low, high))
    assert ours.superiority == np.mean([y > x for x, y in zip(a, b, strict=False)])


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(SAMPLES, 2)))
def test_unpaired_is_welch_and_mann_whitney(a, b):
    ours, theirs = unpaired(a, b), scipy_stats.ttest_ind(b, a, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    assert ours.p == pytest.approx(theirs.pvalue)
    assert (ours.difference.low, ours.difference.high) == pytest.approx((low, high))
    assert ours.superiority == pytest.approx(scipy_stats.mannwhitneyu(b, a).statistic / (len(a) * len(b)))


def test_a_pair_with_a_diverged_member_does_not_count():
    ours = paired([1.0, 2.0, math.nan, 4.0], [2.0, 4.0, 9.0, 7.0])
    assert ours == paired([1.0, 2.0, 4.0], [2.0, 4.0, 7.0])
    assert ours.difference.n == 3


@pytest.mark.parametrize(("compare", "p"), [(paired, 0.25), (unpaired, 0.1)])
def test_without_spread_there_is_no_interval_and_p_is_that_of_signs_and_orders(compare, p):
    """Of three differences of one sign 2/2³; of two threes of which one is above the other 2/20."""
    same, moved = compare([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]), compare([1.0, 1.0, 1.0], [2.0, 2.0, 2.0])
    assert (same.p, same.superiority, same.direction) == (1, 0.5, 0)
    assert (moved.p, moved.superiority, moved.direction) == (pytest.approx(p), 1, 0)
    assert math.isnan(moved.difference.low)
    assert math.isnan(moved.difference.high)


def test_rounding_is_no_spread():
    assert math.isnan(mean_interval([0.1 + 0.2, 0.3, 0.3]).low)


def test_what_moves_in_steps_has_a_spread_of_half_a_step_at_least():
    """Then the half width is t · (step / 2) / √n, and of a difference √2 times that."""
    t = scipy_stats.t.ppf(0.975, 3)
    assert mean_interval([0.5] * 4, step=0.1).high == pytest.approx(0.5 + t * 0.05 / 2)
    assert paired([0.5] * 4, [0.7] * 4, step=0.1).difference.low == pytest.approx(0.2 - t * 0.05 * math.sqrt(2) / 2)
    spread = [0.1, 0.5, 0.9]
    assert mean_interval(spread, step=0.1) == mean_interval(spread)


@pytest.mark.parametrize("a", SAMPLES)
def test_the_p_value_of_a_mean_is_that_of_a_t_test(a):
    assert mean_interval(a).p(0.5) == pytest.approx(scipy_stats.ttest_1samp(a, 0.5).pvalue)


def test_the_visible_difference_is_shown_with_probability_point_eight():
    """By simulation of t tests on normal values of the spread that the first sample had."""
    first = mean_interval(np.random.default_rng(0).normal(0, 1, 5))
    rng, spread = np.random.default_rng(1), first.error * math.sqrt(5)
    for level in (0.05, 0.01):
        shown = [mean_interval(rng.normal(first.visible(level), spread, 5)).p() < level for _ in range(2000)]
        assert np.mean(shown) == pytest.approx(0.8, abs=0.05)


def test_the_number_of_seeds_that_would_decide_does_so_with_probability_point_eight():
    values = 0.5 + np.array([-1.5, -1, -0.5, 0, 0, 0.5, 1, 1.5])
    known = mean_interval(values)
    n, rng = int(known.seeds_for(0.0)), np.random.default_rng(4)
    spread = values.std(ddof=1)
    shown = [mean_interval(rng.normal(known.mean, spread, n)).p() < 0.05 for _ in range(2000)]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.06)
    assert math.isinf(mean_interval([1.0, -1.0, 0.0]).seeds_for(0.0))


@pytest.mark.parametrize("compare", [paired, unpaired])
def test_one_seed_decides_nothing(compare):
    ours = compare([1.0], [3.0])
    assert ours.difference.mean == 2
    assert math.isnan(ours.p)
    assert math.isnan(ours.difference.low)
    assert math.isnan(compare([], []).difference.mean)


@given(numbers, numbers)
def test_turning_a_comparison_round_turns_its_signs(a, b):
    n = min(len(a), len(b))
    for compare, left, right in ((paired, a[:n], b[:n]), (unpaired, a, b)):
        there, back = compare(left, right), compare(right, left)
        assert there.difference.mean == pytest.approx(-back.difference.mean, abs=1e-9)
        assert there.p == pytest.approx(back.p, abs=1e-9)
        assert there.superiority == pytest.approx(1 - back.superiority)
        if not math.isnan(there.difference.low):
            assert there.difference.low <= there.difference.mean <= there.difference.high


def test_holm_on_worked_examples():
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # Wikipedia, Holm–Bonferroni
    assert holm([]) == []
    assert holm([0.6, 0.9]) == [1, 1]


def test_holm_does_not_count_what_has_no_p():
    corrected = holm([math.nan, 0.01, math.nan, 0.04])
    assert [corrected[1], corrected[3]] == pytest.approx([0.02, 0.04])
    assert math.isnan(corrected[0])
    assert math.isnan(corrected[2])


@given(probabilities)
def test_holm_raises_each_p_at_most_to_bonferroni_and_keeps_their_order(ps):
    corrected = holm(ps)
    assert all(p <= c <= min(1, p * len(ps)) for p, c in zip(ps, corrected, strict=True))
    in_order = [c for _, c in sorted(zip(ps, corrected, strict=True))]
    assert in_order == sorted(corrected)
    assert min(corrected) == min(1, min(ps) * len(ps))


@given(probabilities, st.randoms())
def test_holm_does_not_depend_on_the_order(ps, random):
    shuffled = random.sample(ps, len(ps))
    assert sorted(holm(shuffled)) == sorted(holm(ps))


def test_false_discovery_on_a_worked_example():
    """The fifteen p-values of Benjamini & Hochberg 1995, section 3.2: at .05 they reject the four smallest."""
    ps = [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
        *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
    ]
    corrected = false_discovery(ps)
    assert [q < 0.05 for q in corrected] == [True] * 4 + [False] * 11
    assert corrected[0] == pytest.approx(0.0001 * 15)
    assert corrected[3] == pytest.approx(0.0095 * 15 / 4)
    assert math.isnan(false_discovery([math.nan, 0.01])[0])


@given(probabilities)
def test_false_discovery_lies_between_p_and_holm(ps):
    for p, shared, q in zip(ps, holm(ps), false_discovery(ps), strict=True):
        assert p - 1e-12 <= q <= shared + 1e-12


@pytest.mark.parametrize(("k", "n"), [(0, 3), (2, 10), (10, 10), (7, 20)])
def test_a_share_has_its_exact_interval(k, n):
    expected = scipy_stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    ours = share_interval(k, n)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high))
