"""Intervals of 95 %: of a mean over seeds, of a share, of an accuracy over seeds and examples.

The habit of the field that this follows: five seeds to explore, ten to claim, and under three no verdict.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
"""The level of every interval."""
ENOUGH = 3
"""The number of seeds below which nothing is concluded."""
SIGNIFICANT = 0.05
"""The corrected p-value below which a difference counts."""
POWER = 0.8
"""The probability with which a difference would have been shown that is called the smallest visible one."""


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    """The mean, or the share."""
    low: float
    """The lower end; nan where there is no interval, as under two values."""
    high: float
    """The upper end; nan likewise."""
    n: int
    """How many values there were."""
    error: float = math.nan
    """The standard error of the mean; nan where the interval does not come from one."""
    freedom: float = math.nan
    """Degrees of freedom of that standard error."""
    floor: float = 0.0
    """The part of the standard error that more seeds do not make smaller: it is that of the examples."""
    shift: float = 0.0
    """How far the middle of the interval lies from the mean."""

    def named(self, name: str, ends: str = "") -> dict[str, float]:
        """The mean and the two ends as columns of a table: ``NAME``, ``NAME_lo`` and ``NAME_hi``, or with ``ends``
        ``NAME``, ``ENDS_lo`` and ``ENDS_hi``."""
        ends = ends or name
        return {name: self.mean, f"{ends}_lo": self.low, f"{ends}_hi": self.high}

    def p(self, value: float = 0.0) -> float:
        """The two-sided p-value of the true mean being ``value``; nan without a standard error."""
        if not self.error > 0:
            return math.nan
        return 2 * _beyond(abs(self.mean + self.shift - value) / self.error, self.freedom)

    def visible(self, level: float = SIGNIFICANT) -> float:
        """The smallest difference of the true mean from a value whose p-value would have been below ``level`` with
        probability .8; nan without a standard error."""
        if not self.error > 0:
            return math.nan
        return _reach(self.freedom, level) * self.error

    def seeds_for(self, value: float, level: float = SIGNIFICANT) -> float:
        """How many seeds would make the p-value of the true mean being ``value`` less than ``level`` with probability
        .8, if it is what was measured; infinite where no number of seeds would, since the examples are too few."""
        if not self.error > 0 or self.n < 2:
            return math.nan
        distance = abs(self.mean - value)
        if _reach(math.inf, level) * self.floor >= distance:
            return math.inf
        spread = max(self.error**2 - self.floor**2, 0.0) * self.n
        enough = (n for n in _COUNTS if _reach(n - 1, level) * math.sqrt(spread / n + self.floor**2) < distance)
        return float(next(enough, _COUNTS[-1]))

    def cut(self, low: float, high: float) -> "Interval":
        """The same with ends no further than ``low`` and ``high``, which no true mean lies beyond."""
        if math.isnan(self.low):
            return self
        return replace(self, low=max(low, self.low), high=min(high, self.high))


_COUNTS = (*range(3, 30), *range(30, 100, 5), *range(100, 1001, 50), 10_000)
"""The numbers of seeds that are tried; the last stands for all above a thousand."""


@functools.lru_cache(maxsize=4096)
def _reach(freedom: float, level: float) -> float:
    """How many standard errors a true mean lies from a value if its p-value is below ``level`` with probability .8: the
    shift of a noncentral t that exceeds the critical value so often."""
    from scipy.special import nctdtrinc

    if level < _LEAST_LEVEL:
        return math.inf
    freedom = min(freedom, _NORMAL)
    return float(nctdtrinc(freedom, 1 - POWER, t_quantile(freedom, 1 - level / 2)))


_LEAST_LEVEL = 1e-9
"""The level below which no true mean counts as far enough: the quantile of the noncentral t is not computed there."""
_NORMAL = 1e6
"""Degrees of freedom from which on Student's t is taken for normal."""


def around(mean: float, error: float, freedom: float, n: int, *, floor: float = 0.0, shift: float = 0.0) -> Interval:
    """The interval of a mean with a standard ``error`` of so many degrees of ``freedom``, by Student's t; ``floor`` and
    ``shift`` are those of `Interval`."""
    half = error * t_quantile(freedom)
    return Interval(mean, mean + shift - half, mean + shift + half, n, error, freedom, floor, shift)


def finite(values: "Sequence[float] | np.ndarray | pd.Series[float]") -> np.ndarray:
    """The finite ones of ``values``: what diverged is counted by whoever asks, not averaged."""
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)]


def mean_interval(values: Sequence[float] | np.ndarray, step: float = 0.0) -> Interval:
    """The mean with its 95 % interval, by Student's t (Student 1908).

    Equal values show no spread, and without spread there is no interval: its ends are nan. Where the quantity moves in
    steps, such as a share of a hundred units, its spread is known to be half a step at least, which is that of a value
    that falls on either side of a step by chance.

    Args:
        values: Those that are not finite are left out.
        step: The smallest step in which the quantity can move; 0 where it can take any value.

    Of 1, 2 and 3 the standard error is 1/√3, and t at 97.5 % for two degrees of freedom is 4.303:

    >>> from dnnlab.statistics import mean_interval
    >>> interval = mean_interval([1, 2, 3])
    >>> f"{interval.mean} [{interval.low:.3f}, {interval.high:.3f}]"
    '2.0 [-0.484, 4.484]'
    """
    x = finite(values)
    mean = float(x.mean()) if len(x) else math.nan
    if len(x) < 2:
        return Interval(mean, math.nan, math.nan, len(x))
    spread = max(float(x.std(ddof=1)), step / 2)
    if spread <= _ROUNDING * abs(mean):
        return Interval(mean, math.nan, math.nan, len(x))
    return around(mean, spread / math.sqrt(len(x)), len(x) - 1, len(x))


def log_interval(logs: np.ndarray, step: float = 0.0) -> Interval:
    """`mean_interval` of the logarithms ``[seed]`` of ratios, over the seeds in which the ratio is neither zero (-inf)
    nor unknown (nan). Where it is zero in most of all seeds, the mean is -inf, without an interval."""
    zero = np.isneginf(logs)
    if len(logs) and zero.mean() > 0.5:
        return Interval(-math.inf, math.nan, math.nan, int(zero.sum()))
    return mean_interval(logs, step)


_ROUNDING = 1e-12
"""The spread, as a share of the mean, that is but the rounding of sums."""


def mean_share(values: Sequence[float] | np.ndarray, step: float = 0.0) -> Interval:
    """`mean_interval` of shares, cut off at 0 and 1."""
    return mean_interval(values, step).cut(0.0, 1.0)


def share_interval(successes: int, n: int) -> Interval:
    """The exact 95 % interval of a share (Clopper & Pearson 1934).

    Args:
        successes: How often it happened.
        n: How often it could have happened.

    After no success in ten, shares up to 1 - 0.025^(1/10) are possible:

    >>> from dnnlab.statistics import share_interval
    >>> interval = share_interval(0, 10)
    >>> f"{interval.mean} [{interval.low}, {interval.high:.4f}]"
    '0.0 [0.0, 0.3085]'
    """
    from scipy.special import betaincinv

    tail = (1 - LEVEL) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return Interval(successes / n, low, high, n)


@functools.lru_cache(maxsize=4096)
def t_quantile(freedom: float, level: float = (1 + LEVEL) / 2) -> float:
    """The quantile of Student's t at ``level``; without one, what bounds an interval of 95 %."""
    from scipy.special import stdtrit  # scipy.stats takes longer to import than many a run

    return float(stdtrit(freedom, level))


def _beyond(t: float, freedom: float) -> float:
    """The probability that Student's t is larger than ``t``."""
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))
