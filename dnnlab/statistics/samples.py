"""What was measured of one configuration, seed by seed, and how two such samples compare.

Every interval and comparison of seeds that a table, a figure or a verdict shows comes from here.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dnnlab.statistics import answers
from dnnlab.statistics.comparisons import Comparison, interval_p, paired, sign_of, superiority, unpaired
from dnnlab.statistics.crossed import crossed_difference, crossed_independent, crossed_interval
from dnnlab.statistics.intervals import (
    ENOUGH,
    SIGNIFICANT,
    Interval,
    log_interval,
    mean_interval,
    share_interval,
    t_quantile,
)
from dnnlab.statistics.quantity import Quantity

_SURELY = 0.999
"""Guessing reaches the accuracy below which a network has not learned with this probability."""
_BY_CHANCE = 0.01
"""The probability that a rule takes one of several normal values for one that lies apart."""


@dataclass(frozen=True)
class Sample:
    """A quantity of one configuration, seed by seed."""

    seeds: np.ndarray
    """The numbers of the seeds, ``[seed]``."""
    values: np.ndarray
    """The values, or their logarithms, ``[seed]``."""
    succeeded: np.ndarray
    """Whether each seed is of the kind that one speaks of: it learned, and did not collapse or diverge, ``[seed]``."""
    quantity: Quantity
    right: np.ndarray | None = None
    """Which examples each seed got right, bool ``[seed, example]``; None where that is not known."""
    step: float = 0.0
    zero: np.ndarray | None = None
    """Of what has a logarithm, which seeds are exactly 0, and so have none, bool ``[seed]``; None where no seed is."""

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def counted(self) -> np.ndarray:
        """The seeds that are averaged, bool ``[seed]``: those that succeeded, or where none did, all with a number."""
        return self.succeeded if self.succeeded.any() else np.isfinite(self.values)

    @property
    def success(self) -> Interval:
        """The share of seeds that succeeded, with its exact interval; of no seeds it is nan."""
        if not len(self):
            return Interval(math.nan, math.nan, math.nan, 0)
        return share_interval(int(self.succeeded.sum()), len(self))

    @property
    def of_two_kinds(self) -> bool:
        """Whether some seeds succeeded and others did not."""
        return bool(self.succeeded.any()) and not bool(self.succeeded.all())

    @property
    def interval(self) -> Interval:
        """The mean of the seeds that are averaged, with its interval; of logarithms, where they are averaged."""
        if self.zero is not None:
            return log_interval(np.where(self.counted | self.zero, self.known, math.nan), self.step)
        chosen = self.at(self.counted)
        if chosen.right is not None and len(chosen) > 1:
            return crossed_interval(chosen.right)
        whole = mean_interval(chosen.values, self.step)
        return whole.cut(0.0, 1.0) if self.quantity.share else whole

    def scaled(self, times: float) -> "Sample":
        """The same with all values multiplied, or with the logarithm of the factor added to their logarithms."""
        if times == 1:
            return self
        if self.quantity.log:
            return replace(self, values=self.values + math.log(times))
        right = None if self.right is None else self.right * times
        return replace(self, values=self.values * times, right=right, step=self.step * times)

    def at(self, mask: np.ndarray) -> "Sample":
        """The seeds for which ``mask [seed]`` is true, or whose places it gives."""
        right, zero = (None if each is None else each[mask] for each in (self.right, self.zero))
        seeds, values, succeeded = self.seeds[mask], self.values[mask], self.succeeded[mask]
        return Sample(seeds, values, succeeded, self.quantity, right=right, step=self.step, zero=zero)

    def p_of_median(self, limit: float) -> float:
        """The two-sided p-value of the true median being ``limit``, by the sign test; a seed that is 0 lies below every
        limit, and one that is not known has no part."""
        return _sign_test(int((self.ordered > limit).sum()), int((self.ordered < limit).sum()))

    @property
    def known(self) -> np.ndarray:
        """The values ``[seed]``, of which the logarithm of 0 is -inf; nan where one is not known."""
        return self.values if self.zero is None else np.where(self.zero, -np.inf, self.values)

    @property
    def ordered(self) -> np.ndarray:
        """The values that are known, from the smallest."""
        return np.sort(self.known[~np.isnan(self.known)])


def nothing(quantity: Quantity) -> Sample:
    """A sample of no seeds."""
    return Sample(np.zeros(0, int), np.zeros(0), np.zeros(0, bool), quantity)


def sample(rows: Mapping[str, Any] | Any, quantity: Quantity) -> Sample:
    """The sample of a ``quantity`` in ``rows``, a table with a column ``seed`` and those that the quantity names.

    A seed with several rows, such as sizes of a task, has the mean of their values, and no answers.
    """
    seeds, values = np.asarray(rows["seed"], dtype=int), np.asarray(rows[quantity.name], dtype=float)
    right = _right(rows, quantity)
    known = _has(rows, quantity.failed)
    failed = np.asarray(rows[quantity.failed], dtype=bool) if known else np.zeros(len(seeds), bool)
    unique, place = np.unique(seeds, return_inverse=True)
    if len(unique) < len(seeds):
        values = np.bincount(place, values) / np.bincount(place)
        seeds, failed, right = unique, np.bincount(place, failed) > 0, None
    zero = None
    if quantity.log:
        zero = values == 0
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log(values)
    values = np.where(np.isfinite(values), values, math.nan)
    succeeded = np.isfinite(values) & ~failed
    if right is not None and _has(rows, quantity.guessing):
        succeeded &= values > by_guessing(float(np.asarray(rows[quantity.guessing], float)[0]), right.shape[1])
    if quantity.guessing:
        succeeded &= ~_apart(values, succeeded)
    steps = np.asarray(rows[quantity.step], float) if _has(rows, quantity.step) else np.zeros(0)
    steps = steps[np.isfinite(steps)]  # a seed that diverged may have none
    step = float(steps.mean()) if len(steps) else 0.0
    return Sample(seeds, values, succeeded, quantity, right, step, zero if zero is not None and zero.any() else None)


def _has(rows: Any, column: str) -> bool:
    return bool(column) and column in rows


def _right(rows: Any, quantity: Quantity) -> np.ndarray | None:
    if not _has(rows, quantity.right):
        return None
    return answers.table(list(rows[quantity.right]))


@functools.lru_cache(maxsize=256)
def by_guessing(share: float, examples: int) -> float:
    """The accuracy on so many ``examples`` that guessing does not exceed with probability .999, where the most frequent
    class has this ``share``."""
    from scipy.special import bdtr

    counts = np.arange(examples + 1)
    return float(counts[np.searchsorted(bdtr(counts, examples, share), _SURELY)] / examples)


def _apart(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which of the ``known`` values lie further below the others than these differ among each other, bool ``[seed]``.

    The k lowest lie apart where the highest of them is further below the rest than a normal value would be with
    probability .01, by Student's t and corrected for the number of ways to choose k of them (Bonferroni), so that at
    most one in a hundred samples of normal values is divided. The rest is more than half of them, three at least.
    """
    places = np.flatnonzero(known)
    order = places[np.argsort(values[places])]
    n, apart = len(order), np.zeros(len(values), dtype=bool)
    most = min((n - 1) // 2, n - 3)
    for k in range(most, 0, -1):
        rest = values[order[k:]]
        below = float(rest.mean()) - float(values[order[k - 1]])
        if below <= _LEAST:
            continue
        level = _BY_CHANCE / (most * math.comb(n, k))
        far = -t_quantile(len(rest) - 1, level) * float(rest.std(ddof=1)) * math.sqrt(1 + 1 / len(rest))
        if below > far:
            apart[order[:k]] = True
            break
    return apart


_LEAST = 0.05
"""The least distance of accuracies that lie apart: five points. Where the others happen to agree, less is nothing."""


def compare(a: Sample, b: Sample) -> Comparison:
    """The difference of B from A, on the seeds that both have.

    It is that of the seeds which succeeded in both. Where some did not, p is the smaller one of two tests, of this
    difference and of how often the two succeed (McNemar, exact), times two; the sign is None where one of the two is
    better by one and worse by the other.
    """
    _, left, right = np.intersect1d(a.seeds, b.seeds, return_indices=True)
    a, b = a.at(left), b.at(right)
    both = _averaged(a) & _averaged(b)
    one, other = a.at(both), b.at(both)
    if _same_examples(one, other):
        difference = crossed_difference(one.right, other.right)  # type: ignore[arg-type]
    else:
        difference = paired(one.values.tolist(), other.values.tolist(), max(a.step, b.step)).difference
    gaps = b.values - a.values
    whole = _comparison(difference, interval_p(difference), superiority(gaps[np.isfinite(gaps)]), len(a))
    more, fewer = int((b.succeeded & ~a.succeeded).sum()), int((a.succeeded & ~b.succeeded).sum())
    if not _divided(a, b):
        return whole
    return _of_two_kinds(whole, _as_value(more - fewer, a.quantity), _sign_test(more, fewer))


def compare_independent(a: Sample, b: Sample) -> Comparison:
    """The difference of B from A, of different seeds, which may have been tested on the same examples.

    Where some seeds did not succeed, it is as in `compare`, with Fisher's exact test of how often the two do.
    """
    one, other = a.at(_averaged(a)), b.at(_averaged(b))
    by_value = unpaired(one.values.tolist(), other.values.tolist(), max(a.step, b.step))
    difference, p = by_value.difference, by_value.p
    if _same_examples(one, other) and difference.n > 1:
        difference = crossed_independent(one.right, other.right)  # type: ignore[arg-type]
        p = interval_p(difference)
    whole = _comparison(difference, p, by_value.superiority, min(len(a), len(b)))
    k, m = int(a.succeeded.sum()), int(b.succeeded.sum())
    lead = m * len(a) - k * len(b)
    if not _divided(a, b):
        return whole
    return _of_two_kinds(whole, _as_value(lead, a.quantity), _fisher(k, len(a), m, len(b)))


def _averaged(one: Sample) -> np.ndarray:
    return one.counted & np.isfinite(one.values)


def _same_examples(a: Sample, b: Sample) -> bool:
    return a.right is not None and b.right is not None and len(a) > 0 and a.right.shape[1] == b.right.shape[1]


def _divided(a: Sample, b: Sample) -> bool:
    """Whether some seeds of the two succeeded and others did not."""
    succeeded = np.concatenate([a.succeeded, b.succeeded])
    return bool(succeeded.any()) and not bool(succeeded.all())


def _comparison(difference: Interval, p: float, above: float, seeds: int) -> Comparison:
    return Comparison(difference, p, above, sign_of(difference), seeds)


def _as_value(lead: int, quantity: Quantity) -> int:
    """The sign that a value of B would have which is better, where B succeeded more often by ``lead``."""
    return int(np.sign(lead)) * (-1 if quantity.less_is_better else 1)


def _of_two_kinds(by_value: Comparison, leads: int, p_of_lead: float) -> Comparison:
    """The comparison where some seeds did not succeed. How often the two do so speaks for a B that is larger, where
    ``leads`` is 1, or smaller, where it is -1."""
    p = by_value.p if by_value.difference.n >= ENOUGH else math.nan
    if math.isnan(p) or p_of_lead < p:
        against = min(1.0, 2 * p) < SIGNIFICANT and by_value.sign == -leads
        return replace(by_value, p=min(1.0, 2 * p_of_lead), sign=None if against else leads, by_count=True, tests=2)
    # Better where both succeed, but not as often: whoever asks which one to take must look at both.
    against = leads != 0 and leads == -(by_value.sign or 0)
    return replace(by_value, p=min(1.0, 2 * p), sign=None if against else by_value.sign, tests=2)


def _sign_test(more: int, fewer: int) -> float:
    """Exact p-value of either side being as likely; of two counts of differing pairs it is McNemar's (1947)."""
    from scipy.special import bdtr

    n = more + fewer
    return min(1.0, 2 * float(bdtr(min(more, fewer), n, 0.5))) if n else 1.0


def _fisher(k: int, n: int, m: int, count: int) -> float:
    """Exact p-value of ``k`` of ``n`` and ``m`` of ``count`` being of one share (Fisher 1935)."""
    total = k + m
    ways = {i: math.comb(n, i) * math.comb(count, total - i) for i in range(max(0, total - count), min(n, total) + 1)}
    return sum(way for way in ways.values() if way <= ways[k]) / math.comb(n + count, total)
