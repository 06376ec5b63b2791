"""Expectations of activations over a normal input, tabulated over the logarithm of its variance.

A table is filled where it is asked for, by the quadrature of `dnnlab.networks.meanfield`, and interpolated between.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import expit

from dnnlab.networks import meanfield
from dnnlab.networks.shape import GATE_BIAS

_STEP = 0.125
"""Between the nodes of a table, in ln q: cubic interpolation then errs by some 1e-6."""
_REACH = 80.0
"""Of a table in ln q to both sides; beyond, all activations of this package are powers."""
_COUNT = 2 * round(_REACH / _STEP) + 1
_TOGETHER = 32
ORDERS = 24
"""Hermite polynomials of an expansion."""


class Table:
    """The functions ``fill(ts)``, of shape ``[node, function]``, of t = ln q at any t by cubic interpolation."""

    def __init__(self, fill: Callable[[np.ndarray], np.ndarray], functions: int) -> None:
        self._fill = fill
        self._values = np.zeros((_COUNT, functions))
        self._known = np.zeros(_COUNT, bool)

    def _nodes(self, wanted: np.ndarray) -> None:
        marks = np.zeros(_COUNT, bool)
        for offset in (0, 1, 2, 3):
            marks[wanted + offset] = True
        new = np.flatnonzero(marks & ~self._known)
        for start in range(0, len(new), _TOGETHER):
            part = new[start : start + _TOGETHER]
            self._values[part] = self._fill(part * _STEP - _REACH)
            self._known[part] = True

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """``[function, *t.shape]``"""
        inside = np.clip(t, -_REACH, _REACH)
        place = (inside + _REACH) / _STEP
        first = np.clip(place.astype(int) - 1, 0, _COUNT - 4)
        self._nodes(first)
        x = place - first
        a, b, c = x - 1, x - 2, x - 3
        weights = (-a * b * c / 6, x * b * c / 2, -x * a * c / 2, x * a * b / 6)
        values = self._values
        result = sum(w[..., None] * values[first + i] for i, w in enumerate(weights))
        beyond = t - inside
        if beyond.any():  # a power of q goes on as a straight line
            steep = np.where(beyond > 0, first + 2, first)
            slopes = (values[steep + 1] - values[steep]) / _STEP
            result = result + slopes * beyond[..., None]
        return np.moveaxis(np.asarray(result), -1, 0)


@cache
def powers(act: str) -> Table:
    """ln E φ², ln E φ'²; of u ~ N(0, q)."""

    def fill(ts: np.ndarray) -> np.ndarray:
        pairs = [(act, float(q)) for q in np.exp(ts)]
        meanfield.prepare(pairs)
        with np.errstate(divide="ignore"):
            return np.log([[m.square, m.slope2] for m in (meanfield.moments(*pair) for pair in pairs)])

    return Table(fill, 2)


@cache
def gates() -> Table:
    """The logarithms of E T², E (1 - T)², E T'² and E T'⁴ of a highway gate T = σ(t), over ln of the variance of t."""

    def fill(ts: np.ndarray) -> np.ndarray:
        rows = []
        for variance in np.exp(ts):
            z, weights = meanfield.nodes(float(variance), GATE_BIAS)
            t = GATE_BIAS + math.sqrt(variance) * z
            opened, closed = expit(t), expit(-t)
            turned = (opened * closed) ** 2
            rows.append([weights @ opened**2, weights @ closed**2, weights @ turned, weights @ turned**2])
        return np.log(rows)

    return Table(fill, 4)


PHI, SLOPE, PHI2, SLOPE2, BOTH, OF_PHI2, OF_SLOPE2 = range(7)
"""The rows of a `Series`: products over two inputs of φ and φ, φ' and φ', φ² and φ², φ'² and φ'², φ² and φ'²; and the
Hermite coefficients of φ² and φ'² themselves."""
_PRODUCTS = ((PHI, PHI), (SLOPE, SLOPE), (PHI2, PHI2), (SLOPE2, SLOPE2), (PHI2, SLOPE2))


class Series:
    """E f(u₁) g(u₂) of two inputs of variance q, as power series in their correlation c.

    The coefficient of cᵏ is the product of the Hermite coefficients of f and g. What is beyond the last order, which a
    kink leaves, counts as of twice that order.
    """

    exponents = np.array([*range(ORDERS), 2 * ORDERS])

    def __init__(self, act: str) -> None:
        self._act = act
        self._values = np.zeros((_COUNT, OF_SLOPE2 + 1, ORDERS + 1))
        self._known = np.zeros(_COUNT, bool)

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """Coefficients ``[*t.shape, product, power]`` at the nodes next to t = ln q."""
        numbers = np.rint((np.clip(np.nan_to_num(t), -_REACH, _REACH) + _REACH) / _STEP).astype(int)
        for number in np.unique(numbers[~self._known[numbers]]):
            self._values[number] = self._expanded(math.exp(number * _STEP - _REACH))
            self._known[number] = True
        return self._values[numbers]

    def _expanded(self, q: float) -> np.ndarray:
        z, weights = meanfield.nodes(q)
        phi, slope = meanfield.curve(self._act, math.sqrt(q) * z)
        functions = np.stack([phi, slope, phi**2, slope**2])
        polynomials = np.empty((ORDERS, len(z)))
        polynomials[0], polynomials[1] = 1.0, z
        for k in range(2, ORDERS):  # normalised: E He_k² = 1
            polynomials[k] = (z * polynomials[k - 1] - math.sqrt(k - 1) * polynomials[k - 2]) / math.sqrt(k)
        weighted = functions * weights
        coefficients, totals = weighted @ polynomials.T, weighted @ functions.T
        terms = [coefficients[f] * coefficients[g] for f, g in _PRODUCTS]
        rows = [[*row, totals[fg] - row.sum()] for row, fg in zip(terms, _PRODUCTS, strict=True)]
        return np.array([*rows, *([*row, 0.0] for row in coefficients[2:])])


@cache
def series(act: str) -> Series:
    """The `Series` of an activation."""
    return Series(act)
