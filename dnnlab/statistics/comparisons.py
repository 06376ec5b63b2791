"""Comparisons of two configurations, and corrections of p-values for their number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dnnlab.statistics.intervals import ENOUGH, SIGNIFICANT, Interval, around, finite, mean_interval


@dataclass(frozen=True)
class Comparison:
    """The difference of B from A."""

    difference: Interval
    """The mean of B - A with its interval."""
    p: float
    """The p-value of no difference; nan where there are too few values."""
    superiority: float
    """The share of pairs in which B is larger, ties counting a half."""
    sign: int | None
    """1 where B is larger, -1 where A is, 0 where neither is; None where it depends on what one looks at: B is larger
    where both learned, but learned in fewer seeds."""
    seeds: int
    """How many seeds were compared, also those that are not in the difference since they did not learn."""
    by_count: bool = False
    """Whether p is that of how many seeds learned, which the difference says nothing of."""
    tests: int = 1
    """The number of tests for which p is corrected."""

    @property
    def visible(self) -> float:
        """The smallest difference that would have been shown with probability .8, by a p-value as it is corrected; nan
        without a standard error, and where less than `ENOUGH` seeds are in the difference, which show nothing."""
        return math.nan if self.difference.n < ENOUGH else self.difference.visible(SIGNIFICANT / self.tests)

    @property
    def direction(self) -> int | None:
        """The sign where the difference is significant, 0 where it is not, None where there are too few seeds, or where
        the sign is None."""
        if self.seeds < ENOUGH or math.isnan(self.p):
            return None
        return self.sign if self.p < SIGNIFICANT else 0


def paired(a: Sequence[float], b: Sequence[float], step: float = 0.0) -> Comparison:
    """Compare two configurations that were measured under the same seeds, seed by seed (paired t test).

    Where all differences are equal there is no spread, and so no interval; p is then that of the sign test.

    Args:
        a: Values of the first configuration.
        b: Values of the second configuration, in the same order of seeds.
        step: The smallest step in which they can move, as in `mean_interval`; 0 where they can take any value.

    Of the differences 1, 2 and 1 the mean is 4/3 and the standard error 1/3, so that t = 4, and p = 1 - 4/√18:

    >>> from dnnlab.statistics import paired
    >>> comparison = paired([1, 2, 4], [2, 4, 5])
    >>> f"{comparison.difference.mean:.3f} {comparison.p:.4f} {comparison.superiority}"
    '1.333 0.0572 1.0'
    """
    left, right = np.asarray(a, float), np.asarray(b, float)
    with np.errstate(invalid="ignore"):
        difference = finite(right - left)
    # Each of the two falls on either side of a step by chance, so that the variance of a difference is twice as large.
    interval = mean_interval(difference, step * math.sqrt(2))
    return Comparison(interval, interval_p(interval), superiority(difference), sign_of(interval), interval.n)


def interval_p(difference: Interval) -> float:
    """The p-value of no difference; by the sign test where all seeds have the same difference, nan under two seeds."""
    if difference.n < 2:
        return math.nan
    p = difference.p()
    return (2.0 ** (1 - difference.n) if difference.mean else 1.0) if math.isnan(p) else p


def sign_of(difference: Interval) -> int:
    return 0 if math.isnan(difference.mean) else int(np.sign(difference.mean))


def superiority(difference: np.ndarray) -> float:
    """The share of ``difference [pair]`` that is above 0, where ties count a half; nan of none."""
    return float((np.sign(difference) + 1).mean() / 2) if len(difference) else math.nan


def unpaired(a: Sequence[float], b: Sequence[float], step: float = 0.0) -> Comparison:
    """Compare two configurations that were measured under different seeds (Welch's t test; Mann–Whitney's P(B > A)).

    Where neither has any spread there is no interval; p is then that of all orders being as likely.

    Args:
        a: Values of the first configuration; those that are not finite are left out.
        b: Values of the second configuration, likewise; there may be another number of them.
        step: The smallest step in which they can move, as in `mean_interval`; 0 where they can take any value.

    Each mean has the variance 1/3, so that the difference of 3 has the standard error √(2/3), and t = 3.674:

    >>> from dnnlab.statistics import unpaired
    >>> comparison = unpaired([1, 2, 3], [4, 5, 6])
    >>> f"{comparison.difference.mean} {comparison.p:.4f} {comparison.superiority}"
    '3.0 0.0213 1.0'
    """
    left, right = finite(a), finite(b)
    fewest = min(len(left), len(right))
    mean = float(right.mean() - left.mean()) if fewest else math.nan
    if fewest < 2:
        return Comparison(Interval(mean, math.nan, math.nan, fewest), math.nan, math.nan, 0, fewest)
    above = superiority((right[:, None] - left[None, :]).ravel())
    variances = [max(float(x.var(ddof=1)), (step / 2) ** 2) / len(x) for x in (left, right)]
    difference = welch(mean, variances, [len(left) - 1, len(right) - 1], fewest)
    p = difference.p()
    if math.isnan(p):
        p = min(1.0, 2 / math.comb(len(left) + len(right), len(left))) if mean else 1.0
    return Comparison(difference, p, above, sign_of(difference), fewest)


def welch(mean: float, variances: Sequence[float], freedoms: Sequence[float], n: int) -> Interval:
    """The interval of a difference with ``mean``, whose two sides have ``variances`` of their means, of so many degrees
    of freedom each; nan ends where both are 0."""
    total = sum(variances)
    if total <= (1e-12 * abs(mean)) ** 2:
        return Interval(mean, math.nan, math.nan, n)
    shares = sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    return around(mean, math.sqrt(total), total**2 / shares, n)


def holm(ps: Sequence[float]) -> list[float]:
    """Correct p-values for their number, by Holm's step-down method (Holm 1979).

    The smallest of n is multiplied by n, the next by n - 1, and so on; none becomes smaller than the one before it.

    Args:
        ps: The p-values, in any order. nan stays nan, and does not count.

    >>> from dnnlab.statistics import holm
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p, order = _ordered(ps)
    corrected, running = p.copy(), 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, float(p[i]) * (len(order) - rank)))
        corrected[i] = running
    return [float(x) for x in corrected]


def false_discovery(ps: Sequence[float]) -> list[float]:
    """For each p-value the share of false ones to expect among all that are as small (Benjamini & Hochberg 1995).

    Of n p-values the k-th smallest is multiplied by n/k; none becomes larger than the one after it.

    Args:
        ps: The p-values, in any order. nan stays nan, and does not count.

    >>> from dnnlab.statistics import false_discovery
    >>> false_discovery([0.01, 0.04, 0.03])
    [0.03, 0.04, 0.04]
    """
    p, order = _ordered(ps)
    corrected, running = p.copy(), 1.0
    for rank in range(len(order), 0, -1):
        i = order[rank - 1]
        running = min(running, float(p[i]) * len(order) / rank)
        corrected[i] = running
    return [float(x) for x in corrected]


def _ordered(ps: Sequence[float]) -> tuple[np.ndarray, list[int]]:
    """The p-values as an array, and the places of those that are numbers, from the smallest."""
    p = np.asarray(ps, dtype=float)
    return p, [int(i) for i in np.argsort(p, kind="stable") if not math.isnan(p[i])]
