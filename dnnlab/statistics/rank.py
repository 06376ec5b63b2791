"""How well one ranking agrees with another."""

import math
from collections.abc import Sequence

import numpy as np

from dnnlab.statistics.intervals import Interval

RESAMPLED = 1000


def tau(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """How well two rankings agree: Kendall's τ-b, which allows for ties (Kendall 1945).

    It is 1 for the same order, -1 for the reverse, about 0 for unrelated ones, and nan where there is nothing to rank.

    Args:
        a: A score of each thing.
        b: Another score of the same things.

    Of six pairs, five are in the same order and one is not, so τ = (5 - 1)/6:

    >>> from dnnlab.statistics import kendall_tau
    >>> f"{kendall_tau([1, 2, 3, 4], [10, 20, 40, 30]):.4f}"
    '0.6667'
    """
    return float(_taus(np.asarray(a, float), np.asarray(b, float), np.ones((1, len(a))))[0])


def bootstrap(score: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """τ of resampled pairs, ``[RESAMPLED]``. The same state of ``rng`` gives the same resamples, so that several can be
    paired."""
    counts = rng.multinomial(len(score), np.full(len(score), 1 / len(score)), size=RESAMPLED)
    return _taus(score, truth, counts.astype(float))


def interval(value: float, resampled: np.ndarray, n: int) -> Interval:
    """The percentile interval of a bootstrap."""
    finite = resampled[np.isfinite(resampled)]
    if len(finite) < RESAMPLED // 2:
        return Interval(value, math.nan, math.nan, n)
    low, high = np.quantile(finite, (0.025, 0.975))
    return Interval(value, float(low), float(high), n)


def _taus(a: np.ndarray, b: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """τ-b under each row of ``counts [resample, pair]``, how often each pair of values is there."""
    order_a, order_b = (np.sign(x[:, None] - x[None, :]) for x in (a, b))

    def total(matrix: np.ndarray) -> np.ndarray:
        return np.einsum("ri,ij,rj->r", counts, matrix, counts, optimize=True)

    with np.errstate(invalid="ignore", divide="ignore"):
        return total(order_a * order_b) / np.sqrt(total(order_a**2) * total(order_b**2))
