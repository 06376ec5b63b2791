"""Intervals and comparisons over seeds, on scipy.

The habit of the field that this follows: five seeds to explore, ten to claim, and under three no verdict.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    """The mean, or the share."""
    low: float
    """The lower end; nan under two values."""
    high: float
    """The upper end; nan under two values."""
    n: int
    """How many values there were."""

    def named(self, name: str, ends: str = "") -> dict[str, float]:
        """The mean and the two ends as columns of a table: ``NAME``, ``NAME_lo`` and ``NAME_hi``, or with ``ends``
        ``NAME``, ``ENDS_lo`` and ``ENDS_hi``."""
        ends = ends or name
        return {name: self.mean, f"{ends}_lo": self.low, f"{ends}_hi": self.high}


@dataclass(frozen=True)
class Comparison:
    """The difference of B from A."""

    difference: Interval
    """The mean of B - A with its interval."""
    p: float
    """The p-value of no difference; nan where there are too few values."""
    superiority: float
    """The share of pairs in which B is larger, ties counting a half."""


def finite(values: "Sequence[float] | np.ndarray | pd.Series[float]") -> np.ndarray:
    """The finite ones of ``values``: what diverged is counted by whoever asks, not averaged."""
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)]


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean with its 95 % interval, by Student's t (Student 1908).

    Args:
        values: Those that are not finite are left out.

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
    half = float(x.std(ddof=1) / len(x) ** 0.5 * _t_quantile(len(x) - 1))
    return Interval(mean, mean - half, mean + half, len(x))


def mean_share(values: Sequence[float]) -> Interval:
    """`mean_interval` of shares, cut off at 0 and 1."""
    whole = mean_interval(values)
    return Interval(whole.mean, max(0.0, whole.low), min(1.0, whole.high), whole.n) if whole.n > 1 else whole


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
    from scipy import stats  # takes longer to import than many a run

    result = stats.binomtest(successes, n).proportion_ci(LEVEL, method="exact")
    return Interval(successes / n, float(result.low), float(result.high), n)


def by_seed(rows: "pd.DataFrame", quantity: str) -> "pd.Series[float]":
    """The ``quantity`` of each seed; the mean where a seed has several values, such as sizes of a task."""
    return rows.groupby("seed")[quantity].mean().astype(float)


def paired(a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Compare two configurations that were measured under the same seeds, seed by seed (paired t test).

    Args:
        a: Values of the first configuration.
        b: Values of the second configuration, in the same order of seeds.

    Of the differences 1, 2 and 1 the mean is 4/3 and the standard error 1/3, so that t = 4, and p = 1 - 4/√18:

    >>> from dnnlab.statistics import paired
    >>> comparison = paired([1, 2, 4], [2, 4, 5])
    >>> f"{comparison.difference.mean:.3f} {comparison.p:.4f} {comparison.superiority}"
    '1.333 0.0572 1.0'
    """
    left, right = np.asarray(a, float), np.asarray(b, float)
    difference = finite(right - left)
    interval = mean_interval(difference.tolist())
    superiority = float((np.sign(difference) + 1).mean() / 2) if len(difference) else math.nan
    return Comparison(interval, _p_of_t(interval), superiority)


def unpaired(a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Compare two configurations that were measured under different seeds (Welch's t test; Mann–Whitney's P(B > A)).

    Args:
        a: Values of the first configuration; those that are not finite are left out.
        b: Values of the second configuration, likewise; there may be another number of them.

    Each mean has the variance 1/3, so that the difference of 3 has the standard error √(2/3), and t = 3.674:

    >>> from dnnlab.statistics import unpaired
    >>> comparison = unpaired([1, 2, 3], [4, 5, 6])
    >>> f"{comparison.difference.mean} {comparison.p:.4f} {comparison.superiority}"
    '3.0 0.0213 1.0'
    """
    left, right = finite(a), finite(b)
    if min(len(left), len(right)) < 2:
        mean = float(right.mean() - left.mean()) if len(left) and len(right) else math.nan
        return Comparison(Interval(mean, math.nan, math.nan, min(len(left), len(right))), math.nan, math.nan)
    mean = float(right.mean() - left.mean())
    variances = np.array([left.var(ddof=1) / len(left), right.var(ddof=1) / len(right)])
    error = math.sqrt(float(variances.sum()))
    superiority = float((np.sign(right[:, None] - left[None, :]) + 1).mean() / 2)
    if error == 0:
        return Comparison(Interval(mean, mean, mean, min(len(left), len(right))), float(mean == 0), superiority)
    freedom = float(variances.sum() ** 2 / (variances**2 / [len(left) - 1, len(right) - 1]).sum())
    half = error * _t_quantile(freedom)
    p = 2 * _beyond(abs(mean) / error, freedom)
    return Comparison(Interval(mean, mean - half, mean + half, min(len(left), len(right))), p, superiority)


def _p_of_t(interval: Interval) -> float:
    if interval.n < 2:
        return math.nan
    half = interval.high - interval.mean
    if half == 0:
        return float(interval.mean == 0)
    t = abs(interval.mean) / half * _t_quantile(interval.n - 1)
    return 2 * _beyond(t, interval.n - 1)


@functools.lru_cache(maxsize=1024)
def _t_quantile(freedom: float) -> float:
    """The quantile of Student's t that bounds an interval of `LEVEL`."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2))


def _beyond(t: float, freedom: float) -> float:
    """The probability that Student's t is larger than ``t``."""
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))


def direction(difference: Interval, p: float) -> int | None:
    """1 or -1 where the difference is significant, 0 where it is not, ``None`` where there are too few seeds."""
    if difference.n < ENOUGH or math.isnan(p):
        return None
    if p >= SIGNIFICANT:
        return 0
    return 1 if difference.mean > 0 else -1


def holm(ps: Sequence[float]) -> list[float]:
    """Correct p-values for their number, by Holm's step-down method (Holm 1979).

    The smallest of n is multiplied by n, the next by n - 1, and so on; none becomes smaller than the one before it.

    Args:
        ps: The p-values, in any order. nan stays nan, and does not count.

    >>> from dnnlab.statistics import holm
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(ps, dtype=float)
    order = [i for i in np.argsort(p) if not math.isnan(p[i])]
    corrected, running = p.copy(), 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, float(p[i]) * (len(order) - rank)))
        corrected[i] = running
    return [float(x) for x in corrected]
