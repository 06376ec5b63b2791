"""Kendall's τ against scipy's."""

import numpy as np
import pytest
from scipy import stats

from dnnlab.statistics.rank import RESAMPLED, bootstrap, interval, tau


@pytest.mark.parametrize("levels", [3, 10, 10**6])
def test_tau_is_scipys_ties_and_all(levels):
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, levels, 30).astype(float), rng.integers(0, levels, 30).astype(float)
        assert tau(a, b) == pytest.approx(stats.kendalltau(a, b).statistic)


def test_nothing_to_rank_is_nan():
    assert np.isnan(tau([1.0, 1.0], [1.0, 2.0]))


def test_the_bootstrap_is_that_of_resampled_pairs():
    rng = np.random.default_rng(1)
    a = rng.normal(size=40)
    b = a + rng.normal(size=40)
    resampled = bootstrap(a, b, np.random.default_rng(2))
    counts = np.random.default_rng(2).multinomial(40, np.full(40, 1 / 40), size=RESAMPLED)
    by_hand = [stats.kendalltau(np.repeat(a, row), np.repeat(b, row)).statistic for row in counts[:50]]
    assert resampled[:50] == pytest.approx(by_hand)
    found = interval(tau(a, b), resampled, 40)
    assert found.low < found.mean < found.high
