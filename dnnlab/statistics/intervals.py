"""Intervals and comparisons over seeds, on scipy.

The habit of the field that this follows: five seeds to explore, ten to claim, and under three no verdict.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
"""Of every interval."""
ENOUGH = 3
"""Seeds below which nothing is concluded."""
SIGNIFICANT = 0.05
"""Corrected p-value below which a difference counts."""


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval over ``n`` values; ``low`` and ``high`` are nan under two values."""

    mean: float
    low: float
    high: float
    n: int

    def named(self, name: str) -> dict[str, float]:
        """As the columns of `report.columns.estimate`."""
        return {name: self.mean, f"{name}_lo": self.low, f"{name}_hi": self.high}


@dataclass(frozen=True)
class Comparison:
    """B - A: the mean difference with its interval, the p-value of no difference, and P(B > A)."""

    difference: Interval
    p: float
    superiority: float


def finite(values: Sequence[float]) -> np.ndarray:
    """The finite ones of ``values``: what diverged is counted by whoever asks, not averaged."""
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)]


def mean_interval(values: Sequence[float]) -> Interval:
    """Student's t interval of the mean of the finite ``values``."""
    x = finite(values)
    mean = float(x.mean()) if len(x) else math.nan
    if len(x) < 2:
        return Interval(mean, math.nan, math.nan, len(x))
    half = float(stats.sem(x) * stats.t.ppf((1 + LEVEL) / 2, len(x) - 1))
    return Interval(mean, mean - half, mean + half, len(x))


def mean_share(values: Sequence[float]) -> Interval:
    """`mean_interval` of shares, cut off at 0 and 1."""
    whole = mean_interval(values)
    return Interval(whole.mean, max(0.0, whole.low), min(1.0, whole.high), whole.n) if whole.n > 1 else whole


def share_interval(successes: int, n: int) -> Interval:
    """The exact interval of a share (Clopper & Pearson 1934)."""
    result = stats.binomtest(successes, n).proportion_ci(LEVEL, method="exact")
    return Interval(successes / n, float(result.low), float(result.high), n)


def by_seed(rows: "pd.DataFrame", quantity: str) -> "pd.Series[float]":
    """The ``quantity`` of each seed; where there are several, such as sizes of a task, their mean."""
    return rows.groupby("seed")[quantity].mean().astype(float)


def paired(a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Compare two configurations measured under the same seeds, seed by seed (paired t)."""
    left, right = np.asarray(a, float), np.asarray(b, float)
    difference = finite(right - left)
    interval = mean_interval(difference.tolist())
    superiority = float((np.sign(difference) + 1).mean() / 2) if len(difference) else math.nan
    return Comparison(interval, _p_of_t(interval), superiority)


def unpaired(a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Compare two configurations measured under different seeds (Welch's t, Mann–Whitney's P(B > A))."""
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
    half = error * float(stats.t.ppf((1 + LEVEL) / 2, freedom))
    p = float(2 * stats.t.sf(abs(mean) / error, freedom))
    return Comparison(Interval(mean, mean - half, mean + half, min(len(left), len(right))), p, superiority)


def _p_of_t(interval: Interval) -> float:
    if interval.n < 2:
        return math.nan
    half = interval.high - interval.mean
    if half == 0:
        return float(interval.mean == 0)
    t = abs(interval.mean) / half * stats.t.ppf((1 + LEVEL) / 2, interval.n - 1)
    return float(2 * stats.t.sf(t, interval.n - 1))


def direction(difference: Interval, p: float) -> int | None:
    """1 or -1 where the difference counts, 0 where it does not, ``None`` where there is too little to say."""
    if difference.n < ENOUGH or math.isnan(p):
        return None
    if p >= SIGNIFICANT:
        return 0
    return 1 if difference.mean > 0 else -1


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction of ``ps`` for their number (Holm 1979); nan stays nan and does not count."""
    p = np.asarray(ps, dtype=float)
    order = [i for i in np.argsort(p) if not math.isnan(p[i])]
    corrected, running = p.copy(), 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, float(p[i]) * (len(order) - rank)))
        corrected[i] = running
    return [float(x) for x in corrected]
