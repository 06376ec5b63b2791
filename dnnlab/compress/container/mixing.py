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
"""Bits after which a context begins to forget."""
_FIRST = 5
"""Quarters of a prior bit that an observed bit weighs."""
_RATE = 1 << 15
"""Weights move by a 2¹⁵-th of log-odds times error."""


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
    """Predicts bits, many at a time, from what was seen in each of several contexts.

    Context k takes values below ``sizes[k]``; ``sets`` sets of weights are chosen among by a context of their own.
    ``prior`` is the probability of a one where nothing has been seen yet.
    """

    def __init__(self, sizes: Sequence[int], sets: int, prior: int = ONE // 2) -> None:
        self.prior = min(max(prior, 1), ONE - 1)
        self.offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        self.ones = np.zeros(sum(sizes), dtype=np.int64)
        self.seen = np.zeros(sum(sizes), dtype=np.int64)
        self.inputs = 2 * len(sizes) + 1
        self.weights = np.full((sets, self.inputs), int(0.6 * ONE / len(sizes)), dtype=np.int64)
        self.weights[:, len(sizes) : -1] = int(0.3 * ONE / len(sizes))
        self.weights[:, -1] = 0

    def predict(self, contexts: Ints, chosen: Ints) -> Ints:
        """Probability of a one ``[n]``, for bits in ``contexts [n, k]`` whose weights are the sets ``chosen [n]``."""
        self.at = contexts + self.offsets
        ones, seen = self.ones[self.at], self.seen[self.at]
        p = (_FIRST * ones * ONE + 4 * self.prior) // (_FIRST * seen + 4)
        base = int(_stretch()[self.prior])
        # How far each context is from the prior.
        odds = _stretch()[p] - base
        # A context speaks louder the more it has seen.
        sure = (odds * np.minimum(seen, _LIMIT)) // (np.minimum(seen, _LIMIT) + 12)
        self.stretched = np.concatenate([odds, sure, np.full((len(p), 1), _UNIT, dtype=np.int64)], axis=1)
        self.chosen = chosen
        mixed = base + (self.stretched * self.weights[chosen]).sum(1) // ONE
        self.p = _squash()[np.clip(mixed, -_REACH, _REACH) + _REACH]
        return self.p

    def learn(self, bits: Ints) -> None:
        """Take in what the last predicted ``bits [n]`` turned out to be."""
        error = bits * ONE - self.p
        push = self.stretched * error[:, None]
        for each in np.unique(self.chosen):
            own = push[self.chosen == each]
            # Many bits that pull at once are not independent: n of them count as the fourth root of n does.
            many = len(own)
            self.weights[each] += own.sum(0) // (_RATE * many // math.isqrt(math.isqrt(many)))
        flat = self.at.ravel()
        np.add.at(self.seen, flat, 1)
        np.add.at(self.ones, flat, np.repeat(bits, self.at.shape[1]))
        old = np.unique(flat[self.seen[flat] > _LIMIT])
        self.seen[old] //= 2
        self.ones[old] //= 2
