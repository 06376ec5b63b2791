"""Binary predictions mixed in the logistic domain, as in PAQ (Mahoney 2005), in whole numbers alone.

Encoder and decoder must compute the very same probabilities on any machine, and floating-point exponentials differ
between processors. Here only integers are added, multiplied and divided; the two tables are rounded logarithms.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

ONE = 1 << 16
"""Probabilities are in units of 2⁻¹⁶."""
_UNIT = 256
"""Log-odds are in units of 2⁻⁸."""
_REACH = 11 * _UNIT
_LIMIT = 250
"""Bits after which a context begins to forget earlier ones."""
_FIRST = 5
"""Quarters of a prior bit that an observed bit weighs."""
_RATE = 1 << 15
"""Inverse of the learning rate of the weights, in units of log-odds times error."""


@functools.cache
def _stretch() -> Ints:
    """ln(p / (1 - p)) of each probability; 0 and `ONE` are never asked for."""
    p = [min(max(i, 1), ONE - 1) for i in range(ONE + 1)]
    return np.array([round(_UNIT * math.log(i / (ONE - i))) for i in p], dtype=np.int64)


@functools.cache
def _squash() -> Ints:
    """1 / (1 + e^-x) of each log-odds from -`_REACH` to `_REACH`."""
    odds = range(-_REACH, _REACH + 1)
    return np.array([min(max(round(ONE / (1 + math.exp(-x / _UNIT))), 1), ONE - 1) for x in odds], dtype=np.int64)


class Mixer:
    """Predicts bits, many at a time, from what was counted in each of several contexts.

    Context k takes values below ``sizes[k]``; ``sets`` sets of weights are chosen among by a context of their own.
    ``prior`` is the probability of a one where nothing has been seen yet.
    """

    def __init__(self, sizes: Sequence[int], sets: int, prior: int = ONE // 2) -> None:
        self.prior = min(max(prior, 1), ONE - 1)
        self.offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        self.ones = np.zeros(sum(sizes), dtype=np.int64)
        self.counts = np.zeros(sum(sizes), dtype=np.int64)
        self.inputs = 2 * len(sizes) + 1
        self.weights = np.full((sets, self.inputs), int(0.6 * ONE / len(sizes)), dtype=np.int64)
        self.weights[:, len(sizes) : -1] = int(0.3 * ONE / len(sizes))
        self.weights[:, -1] = 0

    def predict(self, contexts: Ints, chosen_sets: Ints) -> Ints:
        """Probability of a one ``[n]``, for bits in ``contexts [n, k]`` that take the weights ``chosen_sets [n]``."""
        self.at = contexts + self.offsets
        ones, counts = self.ones[self.at], self.counts[self.at]
        p = (_FIRST * ones * ONE + 4 * self.prior) // (_FIRST * counts + 4)
        base = int(_stretch()[self.prior])
        # The difference of each context from the prior.
        odds = _stretch()[p] - base
        # A context weighs more the more bits it has counted.
        sure = (odds * np.minimum(counts, _LIMIT)) // (np.minimum(counts, _LIMIT) + 12)
        self.stretched = np.concatenate([odds, sure, np.full((len(p), 1), _UNIT, dtype=np.int64)], axis=1)
        self.chosen_sets = chosen_sets
        mixed = base + (self.stretched * self.weights[chosen_sets]).sum(1) // ONE
        self.p = _squash()[np.clip(mixed, -_REACH, _REACH) + _REACH]
        return self.p

    def learn(self, bits: Ints) -> None:
        """Learn the true values ``bits [n]`` of those that were predicted last."""
        error = bits * ONE - self.p
        push = self.stretched * error[:, None]
        for each in np.unique(self.chosen_sets):
            pushes = push[self.chosen_sets == each]
            # Many bits that pull at once are not independent: n of them count as the fourth root of n does.
            many = len(pushes)
            self.weights[each] += pushes.sum(0) // (_RATE * many // math.isqrt(math.isqrt(many)))
        flat = self.at.ravel()
        np.add.at(self.counts, flat, 1)
        np.add.at(self.ones, flat, np.repeat(bits, self.at.shape[1]))
        old = np.unique(flat[self.counts[flat] > _LIMIT])
        self.counts[old] //= 2
        self.ones[old] //= 2
