"""Lines through bounds: against least squares where the bounds are narrow, against a general optimiser where they are
wide, and on laws whose answer is known."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from dnnlab.statistics.censored import LEAST_SPREAD, censored_line

SIZES = np.array([2.0, 4, 6, 8, 10, 12])


def drawn(seed, n=3, spread=0.6):
    rng = np.random.default_rng(seed)
    x = np.repeat(SIZES, n)
    return x, 1 + 0.4 * x + rng.normal(0, spread, len(x))


def halves(y, step=0.5, below=math.inf):
    """Bounds ``step`` apart; numbers from ``below`` on have no upper one."""
    low = np.floor(y / step) * step
    return np.minimum(low, below), np.where(low >= below, math.inf, low + step)


@pytest.mark.parametrize("seed", range(3))
def test_narrow_bounds_give_least_squares_and_its_interval(seed):
    x, y = drawn(seed)
    slope = censored_line(x, y - 1e-4, y + 1e-4, 3).slope
    fitted = stats.linregress(x, y)
    half = stats.t.ppf(0.975, len(x) - 2) * fitted.stderr
    assert (slope.mean, slope.low, slope.high) == pytest.approx(
        (fitted.slope, fitted.slope - half, fitted.slope + half), abs=1e-6
    )


@pytest.mark.parametrize("below", [math.inf, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_wide_bounds_give_the_largest_likelihood(seed, below):
    x, y = drawn(seed)
    low, high = halves(y, below=below)

    def unlikely(theta):
        at, spread = theta[0] + theta[1] * x, max(math.exp(theta[2]), LEAST_SPREAD)
        shares = stats.norm.cdf((high - at) / spread) - stats.norm.cdf((low - at) / spread)
        return -float(np.log(np.maximum(shares, 1e-300)).sum())

    options = {"maxiter": 5000, "xatol": 1e-8, "fatol": 1e-11}
    found = [optimize.minimize(unlikely, [0, 0.4, start], method="Nelder-Mead", options=options) for start in (-1, 0)]
    best = min(found, key=lambda each: each.fun)
    line = censored_line(x, low, high, 3)
    assert line.likelihood == pytest.approx(-best.fun, abs=1e-5)
    assert line.slope.mean == pytest.approx(best.x[1], abs=1e-3)


def test_numbers_that_are_only_known_to_be_large_do_not_bend_the_line():
    """At the three largest sizes nothing is known but that it is more than 6.8: the line is that of the others."""
    x = np.repeat(SIZES, 5)
    y = 1 + 0.8 * x + np.tile([-0.4, -0.2, 0.0, 0.2, 0.4], len(SIZES))
    low, high = halves(y, step=0.1, below=6.8)
    assert np.isinf(high).sum() == 15
    slope = censored_line(x, low, high, 5).slope
    assert slope.low < 0.8 < slope.high
    # As if they were where the bounds begin, the slope would be far too small.
    assert stats.linregress(x, np.minimum(y, 6.8)).slope < slope.low


@pytest.mark.parametrize(
    ("x", "low", "high"),
    [
        ([2, 4, 8] * 3, [9.0] * 9, [math.inf] * 9),  # nothing was solved
        ([2, 2, 2, 4, 8], [0.0, 0.5, 1.0, 5.0, 5.0], [0.5, 1.0, 1.5, math.inf, math.inf]),  # one size was
        ([2, 4], [0.0, 1.0], [1.0, 2.0]),
        ([], [], []),
        ([2, 4, 8] * 3, [-math.inf] * 9, [1.0] * 9),
    ],
)
def test_bounds_that_say_too_little_give_nothing(x, low, high):
    line = censored_line(x, low, high, 3)
    assert all(map(math.isnan, (line.slope.mean, line.slope.low, line.slope.high, line.likelihood)))


def test_one_seed_has_a_line_and_no_interval():
    x, y = drawn(0, n=1)
    slope = censored_line(x, *halves(y), 1).slope
    assert slope.mean == pytest.approx(0.4, abs=0.3)
    assert math.isnan(slope.low)
    assert math.isnan(slope.high)


def test_all_lines_within_the_bounds_are_in_the_interval():
    """Bounds half a unit around 1, 2 and 4 hold lines of the slopes 1 ± 1/3. None is ruled out but those that touch the
    bounds, near which the least spread takes numbers out."""
    x = np.repeat([1.0, 2.0, 4.0], 4)
    slope = censored_line(x, x - 0.5, x + 0.5, 4).slope
    assert slope.mean == pytest.approx(1, abs=0.05)
    assert slope.low == pytest.approx(1 - 1 / 3, abs=LEAST_SPREAD)
    assert slope.high == pytest.approx(1 + 1 / 3, abs=LEAST_SPREAD)
