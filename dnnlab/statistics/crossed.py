"""Accuracies vary with the seeds and with the examples that they were tested on: intervals for both.

All seeds are tested on the same examples, so that seeds and examples are crossed. The variance of a mean over both, for
new seeds and new examples, is ``s²_seeds/n + s²_examples/N - s²_rest/(n·N)`` (see Owen 2007, arXiv:0712.1111, and
Bouthillier 2021, arXiv:2103.03098, on why both count), and never less than one of the first two. Its degrees of freedom
are those of Satterthwaite 1946. A few examples are added to those that were seen, so that no error seen is not taken
for no error possible.
"""

import math
from collections.abc import Sequence

import numpy as np

from dnnlab.statistics.intervals import Interval, around

_ONE = (0.0, 0.0, 1.0, 1.0)
"""The examples that are added for an accuracy: two right in every seed, two wrong (Agresti & Coull 1998)."""
_TWO = (-1.0, 1.0)
"""The examples that are added for a difference: one right only in A, one only in B (Bonett & Price 2012)."""


def crossed_interval(right: np.ndarray) -> Interval:
    """The mean accuracy with its 95 % interval for new seeds and new examples.

    Args:
        right: Whether each seed got each example right, bool ``[seed, example]``.

    Four seeds that agree on all of 100 examples are no more certain than one. With the examples that are added it is
    92/104 ± 1.983 · √(92/104 · 12/104 / 103):

    >>> import numpy as np
    >>> from dnnlab.statistics import crossed_interval
    >>> interval = crossed_interval(np.tile(np.arange(100) < 90, (4, 1)))
    >>> f"{interval.mean} [{interval.low:.3f}, {interval.high:.3f}]"
    '0.9 [0.822, 0.947]'
    """
    return _of_both([right.astype(float)], _ONE).cut(0.0, 1.0)


def crossed_difference(a: np.ndarray, b: np.ndarray) -> Interval:
    """The mean difference B - A of two accuracies of the same seeds, with its 95 % interval for new seeds and examples.

    Args:
        a: Whether each seed got each example right, bool ``[seed, example]``.
        b: The same of the other configuration.

    Where B gets 5 of 100 examples right in every seed that A gets wrong, and loses none, it may still be no better.
    With the examples that are added it is 5/102 ± 1.984 · √((7/102 - (5/102)²) / 101):

    >>> import numpy as np
    >>> from dnnlab.statistics import crossed_difference
    >>> a, b = (np.tile(np.arange(100) < right, (4, 1)) for right in (80, 85))
    >>> difference = crossed_difference(a, b)
    >>> f"{difference.mean:.2f} [{difference.low:.3f}, {difference.high:.3f}]"
    '0.05 [-0.002, 0.100]'
    """
    return _of_both([b.astype(float) - a], _TWO)


def crossed_independent(a: np.ndarray, b: np.ndarray) -> Interval:
    """`crossed_difference` of seeds that are not the same: ``a [seed, example]`` and ``b [seed, example]`` have their
    examples in common, and each its own seeds."""
    return _of_both([-a.astype(float), b.astype(float)], _TWO)


def _of_both(tables: Sequence[np.ndarray], added: Sequence[float]) -> Interval:
    """The interval of the sum of the means of ``tables [seed, example]``, whose examples are the same and whose seeds
    are not, with examples ``added`` that all seeds share."""
    mean, fewest, count = sum(float(x.mean()) for x in tables), min(len(x) for x in tables), tables[0].shape[1]
    if fewest < 2 or count < 2:
        return Interval(mean, math.nan, math.nan, fewest)
    examples = np.append(sum(x.mean(axis=0) for x in tables), added)
    of_examples = float(examples.var(ddof=1)) / len(examples)
    by_seed = [x.mean(axis=1) for x in tables]
    of_seeds = [float(each.var(ddof=1)) / len(each) for each in by_seed]
    residual = sum(_residual(x) for x in tables)
    variance = max(sum(of_seeds) + of_examples - residual, sum(of_seeds), of_examples)
    shares = [v**2 / (len(each) - 1) for v, each in zip(of_seeds, by_seed, strict=True)]
    freedom = variance**2 / (sum(shares) + of_examples**2 / (len(examples) - 1))
    # More seeds take the residual chance out of the mean of an example, but not what the example itself adds.
    floor = math.sqrt(max(of_examples - residual, 0.0))
    return around(mean, math.sqrt(variance), freedom, fewest, floor=floor, shift=float(examples.mean()) - mean)


def _residual(x: np.ndarray) -> float:
    """The variance of the mean of ``x [seed, example]`` that neither seeds nor examples explain."""
    n, count = x.shape
    rest = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0) + x.mean()
    return float((rest**2).sum()) / ((n - 1) * (count - 1)) / (n * count)
