"""Intervals over seeds and examples against sums written out, least squares, and the pigeonhole bootstrap."""

import math

import numpy as np
import pytest
from scipy import stats

from dnnlab.statistics.crossed import crossed_difference, crossed_independent, crossed_interval


def answers(seeds, examples, level=1.5, base=0):
    rng = np.random.default_rng([base, seeds, examples])
    logits = level + rng.normal(0, 0.3, (seeds, 1)) + rng.normal(0, 1.5, examples)
    return rng.random((seeds, examples)) < 1 / (1 + np.exp(-logits))


def by_hand(values, added):
    """Mean, variance and degrees of freedom of a crossed design, each sum written out in plain Python."""
    n, count = values.shape
    mean = sum(map(sum, values.tolist())) / (n * count)
    rows = [sum(row) / count for row in values.tolist()]
    columns = [sum(column) / n for column in values.T.tolist()]
    rest = sum((values[i, j] - rows[i] - columns[j] + mean) ** 2 for i in range(n) for j in range(count)) / (
        (n - 1) * (count - 1)
    )
    more = [*columns, *added]
    centre = sum(more) / len(more)
    seeds = sum((row - mean) ** 2 for row in rows) / (n - 1) / n
    examples = sum((column - centre) ** 2 for column in more) / (len(more) - 1) / len(more)
    variance = max(seeds + examples - rest / (n * count), seeds, examples)
    freedom = variance**2 / (seeds**2 / (n - 1) + examples**2 / (len(more) - 1))
    return mean, centre, variance, freedom


@pytest.mark.parametrize(("seeds", "examples"), [(2, 5), (3, 40), (10, 25)])
def test_an_interval_is_that_of_the_sums_written_out(seeds, examples):
    right = answers(seeds, examples)
    mean, centre, variance, freedom = by_hand(right.astype(float), [0, 0, 1, 1])
    ours, half = crossed_interval(right), stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert (ours.mean, ours.n) == (pytest.approx(mean), seeds)
    assert (ours.low, ours.high) == pytest.approx((max(0, centre - half), min(1, centre + half)))
    assert ours.p(0.5) == pytest.approx(2 * stats.t.sf(abs(centre - 0.5) / math.sqrt(variance), freedom))


def test_a_difference_is_that_of_the_sums_written_out():
    a, b = answers(5, 30), answers(5, 30, level=2.0, base=1)
    mean, centre, variance, freedom = by_hand(b.astype(float) - a, [-1, 1])
    ours, half = crossed_difference(a, b), stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert (ours.mean, ours.low, ours.high) == pytest.approx((mean, centre - half, centre + half))


def test_the_residual_is_that_of_a_two_way_analysis_of_variance():
    """By least squares on indicators of seeds and examples, without formulas of means."""
    right = answers(4, 12).astype(float)
    seed, example = (index.ravel() for index in np.indices(right.shape))
    design = np.hstack([np.eye(4)[seed], np.eye(12)[example]])
    _, (left,), rank, _ = np.linalg.lstsq(design[:, :-1], right.ravel(), rcond=None)
    assert rank == 15
    by_seed, by_example = right.mean(1), np.append(right.mean(0), [0, 0, 1, 1])
    parts = by_seed.var(ddof=1) / 4, by_example.var(ddof=1) / 16
    expected = max(sum(parts) - left / (3 * 11) / 48, *parts)
    assert crossed_interval(right > 0.5).error == pytest.approx(math.sqrt(expected))


def test_the_standard_error_is_about_that_of_the_pigeonhole_bootstrap():
    """Seeds and examples are drawn again, each with replacement (Owen 2007): it errs on the side of too much."""
    right, rng = answers(12, 300), np.random.default_rng(0)
    means = [right[np.ix_(rng.integers(0, 12, 12), rng.integers(0, 300, 300))].mean() for _ in range(4000)]
    assert 0.9 < np.std(means) / crossed_interval(right).error < 1.25


def test_equal_answers_are_no_certainty():
    """Of no error in 269 examples, by however many seeds, up to a point may be one."""
    few, many = (crossed_interval(np.ones((n, 269), dtype=bool)) for n in (3, 50))
    assert few.mean == many.mean == 1
    assert few.high == many.high == 1
    assert few.low == pytest.approx(many.low, abs=1e-3)
    assert 0.97 < few.low < stats.beta.ppf(0.025, 269, 1)
    none = crossed_difference(np.ones((3, 269), dtype=bool), np.ones((3, 269), dtype=bool))
    assert none.low == -none.high
    assert 0.01 < none.high < 0.015


def test_more_seeds_do_not_help_beyond_what_the_examples_know():
    ends = [crossed_interval(answers(n, 100)).high - crossed_interval(answers(n, 100)).low for n in (5, 100)]
    floor = 2 * 1.96 * math.sqrt(0.8 * 0.2 / 100) * 0.5
    assert ends[1] > floor
    assert math.isinf(crossed_interval(answers(100, 100)).seeds_for(crossed_interval(answers(100, 100)).mean + 1e-3))


def test_seeds_that_are_not_the_same_add_their_variances():
    a, b = answers(6, 50), answers(9, 50, base=2)
    ours = crossed_independent(a, b)
    gap = np.append(b.mean(0) - a.mean(0), [-1, 1])
    rests = []
    for right in (a, b):
        rest = right - right.mean(1, keepdims=True) - right.mean(0) + right.mean()
        rests.append((rest**2).sum() / ((len(right) - 1) * 49) / right.size)
    seeds = a.mean(1).var(ddof=1) / 6 + b.mean(1).var(ddof=1) / 9
    examples = gap.var(ddof=1) / 52
    assert ours.mean == pytest.approx(b.mean() - a.mean())
    assert ours.error**2 == pytest.approx(max(seeds + examples - sum(rests), seeds, examples))
    assert ours.n == 6


def test_of_one_seed_there_is_no_interval():
    alone = crossed_interval(answers(1, 100))
    assert math.isnan(alone.low)
    assert math.isnan(alone.p(0.5))
    assert math.isnan(crossed_difference(answers(1, 100), answers(1, 100, base=1)).high)
