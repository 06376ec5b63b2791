"""Mean-field theory of wide random layers: moments of activations, criticality, depth scales.

Notation of Poole 2016 and Schoenholz 2017: ``q`` is the mean square of a pre-activation, ``c`` the correlation
of two inputs there, ``σw² = fan_in · Var W``, ``σb² = Var b``; ``z`` is standard normal.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from dnnlab.networks.activations import build

# Where activations of torch.nn have kinks or bend sharply: quadrature panels end there, in units of u = √q z.
_KNOTS = np.array([0.0, *(s * k for k in (0.5, 1.0, 2.0, 3.0, 6.0, 12.0, 30.0) for s in (-1, 1))])
_REACH = 12.0  # standard deviations: e^(-72) beyond is nothing in float64
_BELL = np.array([-6.0, -3.0, 0.0, 3.0, 6.0])  # and there, in units of z, so that no panel spans the whole bell
_LINE = np.polynomial.legendre.leggauss(48)  # nodes and weights per panel, for one integral
_PLANE = np.polynomial.legendre.leggauss(16)  # and for two nested ones


@dataclass(frozen=True)
class Moments:
    """Expectations of an activation φ and of its slope φ', over inputs ``u ~ N(0, q)``."""

    mean: float
    """E φ(u)"""
    square: float
    """E φ(u)²"""
    fourth: float
    """E φ(u)⁴"""
    slope2: float
    """E φ'(u)²"""
    slope4: float
    """E φ'(u)⁴"""
    tilt2: float
    """E (z φ'(u))², with u = √q z"""


@dataclass(frozen=True)
class PairMoments:
    """Expectations over two unit-correlated-``c`` pre-activations u₁, u₂ ~ N(0, q)."""

    product: float
    """E φ(u₁) φ(u₂)"""
    slopes: float
    """E φ'(u₁) φ'(u₂)"""
    slopes2: float
    """E φ'(u₁)² φ'(u₂)²"""
    tilts: float
    """E z₁ φ'(u₁) z₂ φ'(u₂)"""


def curve(act: str, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """φ(u) and φ'(u) in float64, from the very module that the networks run."""
    with torch.enable_grad():
        x = torch.from_numpy(np.ascontiguousarray(u)).requires_grad_()
        # The identity hands its input back; a graph of its own lets autograd differentiate it like the others.
        y = build(act).double()(x * 1.0)
        (slope,) = torch.autograd.grad(y.sum(), x)
    return y.detach().numpy(), slope.numpy()


def _panels(knots: np.ndarray, rule: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights on ±`_REACH`, split at ``knots [..., k]``: ``[..., node]`` each."""
    bell = np.broadcast_to(_BELL, (*knots.shape[:-1], len(_BELL)))
    inner = np.sort(np.clip(np.concatenate([knots, bell], axis=-1), -_REACH, _REACH), axis=-1)
    ends = np.full((*inner.shape[:-1], 1), _REACH)
    edges = np.concatenate([-ends, inner, ends], axis=-1)
    middle, half = (edges[..., 1:] + edges[..., :-1]) / 2, (edges[..., 1:] - edges[..., :-1]) / 2
    nodes = middle[..., None] + half[..., None] * rule[0]
    weights = half[..., None] * rule[1]
    shape = (*inner.shape[:-1], -1)
    return nodes.reshape(shape), weights.reshape(shape)


def _normal_density(z: np.ndarray) -> np.ndarray:
    density: np.ndarray = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return density


def nodes(q: float, mean: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Nodes z and weights of the integral of a function of ``mean + √q z`` over the standard normal z, ``[node]``."""
    z, weights = _panels((_KNOTS - mean) / math.sqrt(q), _LINE)
    return z, weights * _normal_density(z)


_known: dict[tuple[str, float], Moments] = {}
"""Moments that were computed before, by activation and q."""
_MOST_KNOWN = 65536
_TOGETHER = 32
"""Integrals at a time: so few that PyTorch takes one thread for them, which is as quick."""


def moments(act: str, q: float) -> Moments:
    """Expectations of an activation over a normal input of mean 0, by quadrature split at its kinks.

    Args:
        act: One of `dnnlab.networks.ACTIVATIONS`, or a class of ``torch.nn``.
        q: The variance of the input.

    Raises:
        UsageError: Nobody knows the activation.

    ReLU keeps half of the mean square, and has the slope 1 on half of its inputs:

    >>> from dnnlab.theory import moments
    >>> m = moments("relu", 1.0)
    >>> f"{m.square:.3f} {m.slope2:.3f}"
    '0.500 0.500'
    """
    known = _known.get((act, q))
    return known or _integrated(act, [q])[0]


def prepare(pairs: Iterable[tuple[str, float]]) -> None:
    """Compute the `moments` of many pairs of an activation and a q at once, which takes a tenth of the time, so that
    asking for each is quick afterwards."""
    new = dict.fromkeys(pair for pair in pairs if pair not in _known)
    for act in dict.fromkeys(act for act, _ in new):
        qs = [q for other, q in new if other == act]
        for start in range(0, len(qs), _TOGETHER):
            _integrated(act, qs[start : start + _TOGETHER])


def _integrated(act: str, qs: Sequence[float]) -> list[Moments]:
    # q = 0 is a point mass; a tiny root keeps one formula
    roots = np.array([math.sqrt(q) if q > 0 else 1e-150 for q in qs])[:, None]
    z, weights = _panels(_KNOTS / roots, _LINE)
    weights = weights * _normal_density(z)
    phi, slope = curve(act, roots * z)
    integrands = (phi, phi**2, phi**4, slope**2, slope**4, (z * slope) ** 2)
    # Product by product, so that no sum depends on what is computed beside it.
    result = [Moments(*(float(weights[i] @ each[i]) for each in integrands)) for i in range(len(qs))]
    if len(_known) > _MOST_KNOWN:
        _known.clear()
    _known.update(zip(((act, q) for q in qs), result, strict=True))
    return result


@lru_cache(maxsize=65536)
def pair_moments(act: str, q: float, c: float) -> PairMoments:
    """`PairMoments` of an activation at ``q`` for inputs of correlation ``c`` in [-1, 1]."""
    root = math.sqrt(q) if q > 0 else 1e-150
    rest = math.sqrt(max(0.0, 1 - c * c))
    # Within a few `rest` of a kink at 0 the two slopes can differ; near |c| = 1 that is a narrow feature.
    z1, w1 = _panels(np.concatenate([_KNOTS / root, _BELL * rest]), _PLANE)
    w1 = w1 * _normal_density(z1)
    far = w1 > 1e-18  # the outer tail has no weight, and every outer node costs a whole inner integral
    z1, w1 = z1[far], w1[far]
    if rest < 1e-7:  # the inner integral is a point
        z2, w2 = c * z1[:, None], np.ones((len(z1), 1))
    else:
        t, w2 = _panels((_KNOTS / root - c * z1[:, None]) / rest, _PLANE)
        z2, w2 = c * z1[:, None] + rest * t, w2 * _normal_density(t)
    phi1, slope1 = curve(act, root * z1)
    phi2, slope2 = curve(act, root * z2)

    def expect(outer: np.ndarray, inner: np.ndarray) -> float:
        return float(w1 @ (outer * (w2 * inner).sum(axis=1)))

    return PairMoments(
        product=expect(phi1, phi2),
        slopes=expect(slope1, slope2),
        slopes2=expect(slope1**2, slope2**2),
        tilts=expect(z1 * slope1, z2 * slope2),
    )


@dataclass(frozen=True)
class Critical:
    """An initialisation under which gradients neither shrink nor grow."""

    weight: float
    """σw², which is fan_in · Var W"""
    bias: float
    """σb², the variance of the biases"""
    q: float
    """The mean square of pre-activations that does not change from layer to layer."""


def zero_of(
    function: Callable[[float], float], low: float, high: float, xtol: float = 2e-12, rtol: float = 9e-16
) -> float:
    """Where a function whose signs at ``low`` and ``high`` differ is zero, to ``xtol`` or the share ``rtol`` of it."""
    from scipy.optimize import brentq  # takes a while to import, and many a command does without

    return float(brentq(function, low, high, xtol=xtol, rtol=rtol))


@lru_cache(maxsize=256)
def critical(act: str) -> Critical | None:
    """The critical initialisation of an activation, the edge of chaos (Poole 2016, arXiv:1606.05340).

    Under it, χ = σw² E φ'² is 1 at the fixed point q* of the mean square q of pre-activations. That is q* = 1, or the
    smallest larger one that needs no negative σb². ``None`` where no q* up to 10⁶ serves. Sigmoid is the one of the
    lecture's activations that needs a q* far from 1: its mean is a half, so that ``σw² E φ²`` stays above ``q`` until
    the weights are large.

    Args:
        act: One of `dnnlab.networks.ACTIVATIONS`, or a class of ``torch.nn``.

    Raises:
        UsageError: Nobody knows the activation.

    That of ReLU is He's initialisation, Var W = 2/fan_in without biases:

    >>> from dnnlab.theory import critical
    >>> point = critical("relu")
    >>> f"{point.weight:.3f} {point.bias:.3f}"
    '2.000 0.000'
    """

    def bias(q: float) -> float:
        m = moments(act, q)
        return q - m.square / m.slope2 if m.slope2 > 0 else -math.inf

    q = 1.0
    if bias(q) < -1e-9:
        grid = np.geomspace(1.0, 1e6, 121)
        above = [x for x in grid if bias(float(x)) >= 0]
        if not above:
            return None
        high = float(above[0])
        q = zero_of(bias, float(grid[list(grid).index(above[0]) - 1]), high, xtol=1e-10)
    left = bias(q)
    return Critical(weight=1 / moments(act, q).slope2, bias=left if left > 1e-9 else 0.0, q=q)


def fixed_point(act: str, weight: float, bias: float, start: float = 1.0) -> float:
    """The fixed point q* to which q ← σw² E φ² + σb² converges from ``start``; ``nan`` where it leaves 10⁻¹² … 10¹².

    E φ² grows with q, so the run meets the first fixed point on its side of ``start``. That one is bracketed and
    solved for: near criticality the recursion itself takes thousands of layers to get there.
    """

    def change(q: float) -> float:
        return weight * moments(act, q).square + bias - q

    first = change(start)
    if abs(first) <= 1e-10 * start:
        return start
    near, factor = start, 2.0 if first > 0 else 0.5
    while 1e-12 < (far := near * factor) < 1e12:
        if change(far) * first <= 0:
            return zero_of(change, near, far, xtol=1e-24, rtol=1e-12)
        near = far
    return math.nan


@lru_cache(maxsize=65536)
def depth_scale(act: str, weight: float, bias: float, start: float = 1.0) -> float:
    """ξ_c, the number of layers over which the correlation of two inputs settles (Schoenholz 2017, arXiv:1611.01232).

    A network without normalisation and skips trains up to a depth of about 6 ξ_c, where gradients live as long. It is
    ``inf`` at criticality, and ``nan`` where the mean square of pre-activations has no fixed point.

    Args:
        act: One of `dnnlab.networks.ACTIVATIONS`, or a class of ``torch.nn``.
        weight: σw², which is fan_in · Var W.
        bias: σb², which is Var b.
        start: The mean square of the pre-activations of the first layer.

    Raises:
        UsageError: Nobody knows the activation.

    Without an activation and with σw² = 1/2, a correlation comes nearer to its end by a half in each layer, so that
    ξ_c = 1/ln 2:

    >>> from dnnlab.theory import depth_scale
    >>> f"{depth_scale('linear', 0.5, 0.5):.4f}"
    '1.4427'
    """
    q = fixed_point(act, weight, bias, start)
    if math.isnan(q):
        return math.nan
    chi = weight * moments(act, q).slope2
    if chi > 1 + 1e-6:  # chaos: inputs part until a correlation c* < 1, which attracts

        def change(c: float) -> float:
            return (weight * pair_moments(act, q, c).product + bias) / q - c

        # An odd activation without biases has c* = 0, to which rounding can give either sign.
        c = zero_of(change, 0.0, 1 - 1e-9) if change(0.0) > 1e-12 else 0.0
        chi = weight * pair_moments(act, q, c).slopes
    return math.inf if abs(chi - 1) < 1e-6 else -1 / math.log(chi)
