"""By how much layers of N units fluctuate around their expectation, to the first order in 1/N.

In a batch it depends on how alike its examples are: what they share does not average away. So the correlation of pairs
of inputs is followed forward, and the cosine between the gradients of pairs backward (Schoenholz 2017,
arXiv:1611.01232). For one input and ReLU, ln‖δ_l‖² gains the variance 5/N a layer (Hanin & Nica 2019).
"""

import math
from dataclasses import dataclass

import numpy as np

from dnnlab.theory import tables
from dnnlab.theory.alike import Alike, log
from dnnlab.theory.softmax import Start, start
from dnnlab.theory.tables import BOTH, OF_PHI2, OF_SLOPE2, PHI, PHI2, SLOPE, SLOPE2, Series

_NODES = (-math.sqrt(3), 0.0, math.sqrt(3))
_SHARES = np.array([1 / 6, 2 / 3, 1 / 6])
"""Nodes and weights of the mean over the correlations of pairs of inputs, taken as normal."""


@dataclass(frozen=True)
class Fluctuation:
    """Of one layer, ``[setting]`` each."""

    common: np.ndarray
    """The standard deviation of ln of the mean of φ² over units, as far as all examples share it."""
    own: np.ndarray
    """As far as each example has its own."""
    tied: np.ndarray
    """The part of the branch's gradient that comes with ``common``, in units of its standard deviation."""
    fresh: np.ndarray
    """The variance of ln of the factor from ‖δ_{l+1}‖² to ‖δ_l‖² that comes with the layer's own weights."""
    frozen: np.ndarray
    """That which comes with its units, and stays as far as a skip carries them on."""
    carried: np.ndarray
    """The share of the power of y_{l+1} that comes through a skip: the squared correlation of a unit with itself."""
    slopes: np.ndarray
    """The correlation of a unit's φ'² with that one layer on."""
    squares: np.ndarray
    """And of its φ²."""
    tilt: np.ndarray
    """The mean square of y_l over units, weighted by their gradient one layer on, relative to the plain mean."""
    steered: np.ndarray
    """The share of ‖δ_l‖² that comes through the logits of a highway's gate, times how far ``tilt`` is from 1."""
    pulled: np.ndarray
    """By how much ln‖δ_l‖² over ‖δ_{l+1}‖² grows because the loss pulls y_{l+1} along itself, where a skip goes on."""
    lost: np.ndarray
    """The part of ‖δ_l‖² that layer normalisation takes, of N parts, beside what its slope does."""


@dataclass(frozen=True)
class _Row:
    """The forward pass of one layer: ln q, correlations of pairs of inputs ``[setting, node]``, and series."""

    x: np.ndarray
    c: np.ndarray
    series: np.ndarray


def fluctuations(alike: Alike) -> list[Fluctuation]:
    """Those of each hidden layer."""
    rows, starts = _forward(alike)
    return _Backward(alike, starts).run(rows)


def _powers(c: np.ndarray) -> np.ndarray:
    powers: np.ndarray = c[:, :, None] ** Series.exponents
    return powers


def _forward(alike: Alike) -> tuple[list[_Row], list[list[Start]]]:
    told = [setting.inputs for setting in alike.settings]
    square = np.array([each.mean_square for each in told])[:, None]
    product = square - np.array([each.variance for each in told])[:, None]
    product = product + np.array(_NODES) * np.array([each.product_spread for each in told])[:, None]
    q = alike.weight[:, :1] * square + alike.bias[:, :1]
    c = (alike.weight[:, :1] * np.clip(product, -square, square) + alike.bias[:, :1]) / q
    x = np.log(q[:, 0])
    rows, activated, cosines = [], [], []
    for layer in range(1, alike.depth + 1):
        series = tables.series(alike.shape.acts[layer - 1])(alike.read(x))
        rows.append(_Row(x, c, series))
        total = series[:, PHI].sum(-1)
        activated.append(np.log(total / alike.keep))
        cosines.append(np.einsum("sk,sck->sc", series[:, PHI], _powers(c)) / total[:, None] * alike.keep[:, None])
        if alike.kind == "dense":
            shares = np.exp(np.array(activated) - np.logaddexp.reduce(activated, axis=0))
            cosine = (shares[..., None] * cosines).sum(0)
        else:
            cosine = cosines[-1]
        branch = alike.branch(layer + 1, activated)
        constant = np.exp(log(alike.bias[:, layer]) - branch)[:, None]
        cosine = (1 - constant) * cosine + constant
        if layer < alike.depth:
            following = alike.connect(layer + 1, x, branch)
            carried = alike.carried(layer + 1, x, following)[:, None]
            c = np.clip(carried * c + (1 - carried) * cosine, -1, 1)
            x = following
    logits = zip(branch.tolist(), cosine.tolist(), alike.classes.tolist(), strict=True)
    return rows, [[start(log_q, each, int(classes)) for each in row] for log_q, row, classes in logits]


class _Backward:
    """From the last layer to the first, for classes of pairs of examples, ``[setting, class]``: one and the same, then
    for each correlation those of one label and of two."""

    def __init__(self, alike: Alike, starts: list[list[Start]]) -> None:
        self.alike, self.n = alike, alike.width[:, None]
        one = 1 / alike.batch
        labels = np.stack([1 / alike.classes, 1 - 1 / alike.classes], axis=1)
        pairs = (1 - one) * (_SHARES[:, None] * labels[:, None, :]).reshape(len(self.n), -1)
        self.plain = np.concatenate([np.full_like(self.n, one), pairs], axis=1)
        """The share of each class."""
        self.weights = self.plain.copy()
        """That weighted by the gradients of both, which a few examples come to dominate."""
        self.weights[:, 0] *= [row[0].single for row in starts]
        self.weights /= self.weights.sum(1, keepdims=True)
        self.rho = np.sqrt([[1.0, *(value for each in row for value in (each.alike, each.differ))] for row in starts])
        """The root mean square of the cosine between two gradients."""
        self.pull = np.array([row[0].pull for row in starts])
        self.tilt, self.active = np.ones(len(self.n)), np.zeros(len(self.n))

    def run(self, rows: list[_Row]) -> list[Fluctuation]:
        following: list[_Row | None] = [*rows[1:], None]
        found = [self._layer(i, rows[i - 1], following[i - 1]) for i in range(len(rows), 0, -1)]
        return found[::-1]

    def _layer(self, layer: int, row: _Row, following: _Row | None) -> Fluctuation:
        alike, n, rho = self.alike, self.n, self.rho
        first = row.series.sum(-1)  # of one example, without dropout
        phi2, slope2 = first[:, PHI], first[:, SLOPE]
        powers = _powers(np.concatenate([np.ones_like(n), np.repeat(row.c, 2, axis=1)], axis=1))
        squares, slopes, both, steep = self._relative(row.series, first, powers)

        carried, active, tilt = np.zeros_like(phi2), 0 * self.active, 1 + 0 * self.tilt
        if following is not None:
            carried = alike.carried(layer + 1, row.x, following.x)
            tilt = 1 + carried * (self.tilt - 1)
            active = _faded(carried, row.series[:, SLOPE2]) * self.active
        gain, kept, steer, peaked = self._gains(layer, row.x, phi2, slope2, tilt, last=following is None)

        g, k, t = gain[:, None], kept[:, None], steer[:, None]
        lost = self._once(first[:, SLOPE2] / slope2**2)
        fresh = 2 * rho**2 * (slopes + 1 - alike.orthogonal[:, None]) + 3 * lost
        if alike.norm == "layer":
            fresh = fresh + 2 * (1 - alike.orthogonal[:, None]) * powers[:, :, 2]
        # Between the skip and the branch, where φ'² counts by the gradient that came through the skip.
        mixed = 4 * k * (g * steep * (1 + active[:, None]) + t) + (9 * peaked[:, None] - 1) * t**2
        fresh_total, frozen_total = (g**2 * fresh + mixed * rho**2) / n, g**2 * slopes / n

        common = np.maximum((self.plain * squares).sum(1), 0) / alike.width
        own = np.maximum(squares[:, 0] - (self.plain * squares)[:, 1:].sum(1) / max(1 - 1 / alike.batch, 1e-9), 0)
        root = np.sqrt(common)
        tied = np.divide((self.weights * both).sum(1) / alike.width, root, out=np.zeros_like(root), where=root > 0)
        most = np.sqrt(np.maximum((self.weights * (slopes + fresh)).sum(1), 0) / alike.width)
        tied = np.clip(tied, -most, most)
        found = Fluctuation(
            common=root,
            own=np.sqrt(own / alike.width * (1 - 1 / alike.batch)),
            tied=tied,
            fresh=np.maximum((self.weights * fresh_total).sum(1), 0),
            frozen=np.maximum((self.weights * frozen_total).sum(1) - (gain * tied) ** 2, 0),
            carried=carried,
            slopes=_faded(carried, row.series[:, SLOPE2]),
            squares=_faded(carried, row.series[:, PHI2]),
            tilt=tilt,
            steered=steer * abs(tilt - 1),
            # Twice what one step gives, since the layers behind pull in the same direction.
            pulled=2 * kept * (1 - kept) * self.pull * _aligned(row.series, first) / alike.width,
            lost=self._normalised(row.series, first, carried, last=following is None),
        )
        self.tilt = kept * tilt + gain * (1 + math.sqrt(2) * row.series[:, OF_SLOPE2, 2] / slope2) + steer
        self.active = kept * active + gain * (first[:, SLOPE2] / slope2**2 - 1)
        self._pass(g, k + t, steep, slopes, fresh_total + frozen_total)
        return found

    def _once(self, values: np.ndarray) -> np.ndarray:
        """What dropout adds to ``values [setting]`` where both examples are one: 1/keep times them instead of them."""
        added = np.zeros_like(self.weights)
        added[:, 0] = values * (1 / self.alike.keep - 1)
        return added

    def _relative(self, series: np.ndarray, first: np.ndarray, powers: np.ndarray) -> tuple[np.ndarray, ...]:
        """The covariances over pairs, ``[setting, class]``, of φ² and φ², of φ'² and φ'² without dropout, and of φ² and
        φ'², relative to their means; and the cosine of φ'."""
        alike = self.alike
        phi2, slope2 = first[:, PHI, None], first[:, SLOPE, None]
        kept = np.ones((len(self.n), 1, tables.ORDERS + 1))
        if alike.norm == "layer":
            kept[..., 1:3] = 0  # a layer's units have mean 0 and mean square 1 exactly
        kept[..., 2] *= 1 - alike.orthogonal[:, None]  # and here the mean square that is expected
        values = np.einsum("spk,sck->spc", series * kept, powers)
        squares = values[:, PHI2] / phi2**2 - 1 + self._once(first[:, PHI2] / first[:, PHI] ** 2)
        slopes = values[:, SLOPE2] / slope2**2 - 1
        both = values[:, BOTH] / (phi2 * slope2) - 1 + self._once(first[:, BOTH] / (first[:, PHI] * first[:, SLOPE]))
        steep = np.einsum("sk,sck->sc", series[:, SLOPE], powers) / slope2
        steep[:, 1:] *= alike.keep[:, None]
        return squares, slopes, both, steep

    def _gains(
        self, layer: int, x: np.ndarray, phi2: np.ndarray, slope2: np.ndarray, tilt: np.ndarray, last: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The shares of ‖δ_l‖² that come through the branch, through the skip, and through the gate's logits; and
        E T'⁴/(E T'²)² of the gate."""
        alike = self.alike
        nothing = np.zeros_like(x)
        if last or alike.kind not in ("residual", "highway"):
            return np.ones_like(x), nothing, nothing, nothing
        gain = alike.weight[:, layer] * slope2 / alike.keep * np.exp(alike.normaliser(x))
        if alike.kind == "residual":
            gain = alike.scale * gain
            return gain / (1 + gain), 1 / (1 + gain), nothing, nothing
        opened, kept, turned, fourth = np.exp(alike.gates(layer + 1, x))
        proposal = alike.weight[:, layer] * phi2 / alike.keep + alike.bias[:, layer]
        steer = turned * alike.gate[:, layer] * (proposal + tilt * np.exp(x))
        total = opened * gain + kept + steer
        return opened * gain / total, kept / total, steer / total, fourth / turned**2

    def _pass(self, g: np.ndarray, rest: np.ndarray, steep: np.ndarray, slopes: np.ndarray, grown: np.ndarray) -> None:
        """Carry weights and cosines of pairs to the layer before."""
        rho, orthogonal = self.rho, self.alike.orthogonal[:, None]
        if self.alike.kind != "dense":
            self.weights = self.weights * np.exp(np.clip(grown, -30, 30))
            self.weights /= self.weights.sum(1, keepdims=True)
        # N units give a cosine of zero a mean square of 1/N: matrices align what they multiply, the more the deeper.
        chance = (slopes + 1 - orthogonal * steep**2) * (1 + 2 * rho**2) * g / self.n
        self.rho = rest * rho + g * np.sqrt(((steep * rho) ** 2 + chance) / (1 + chance))
        self.rho[:, 0] = 1.0

    def _normalised(self, series: np.ndarray, first: np.ndarray, carried: np.ndarray, last: bool) -> np.ndarray:
        """δ loses its mean and its part along u. But δ of the layer behind has no part along y where there is no skip,
        so that the gradient that arrives here has none along φ(u): that is lost instead, and with it most of the rest.
        """
        phi2, slope2 = first[:, PHI], first[:, SLOPE]
        along = 1 + math.sqrt(2) * series[:, OF_SLOPE2, 2] / slope2  # E u²φ'²/E φ'²
        if last or self.alike.kind in ("residual", "highway"):
            return 1 + along
        mean, mixed = series[:, OF_PHI2, 1] / 2, series[:, OF_PHI2, 2] / math.sqrt(2)  # E φφ', E uφφ'
        apart = 1 - np.minimum(mean**2 / (slope2 * phi2), 1)
        rest = along * (1 - np.minimum(mixed**2 / (along * slope2 * phi2), 1))
        lost: np.ndarray = first[:, BOTH] / (phi2 * slope2) / self.alike.keep + apart + rest
        return lost


def _aligned(series: np.ndarray, first: np.ndarray) -> np.ndarray:
    """How far the slopes of units keep a gradient along them: 1 without an activation, 2 for ReLU."""
    kept: np.ndarray = (
        first[:, BOTH] / (first[:, PHI] * first[:, SLOPE]) * series[:, OF_PHI2, 2] / math.sqrt(2) / first[:, PHI]
    )
    return kept


def _faded(carried: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """The correlation of f(y_l) and f(y_{l+1}) over units, from the ``terms`` of the series of f."""
    odd, rest = terms[:, 1], terms[:, 2:].sum(1)
    total = odd + rest
    share = np.divide(odd, total, out=np.ones_like(odd), where=total > 0)
    return share * np.sqrt(carried) + (1 - share) * carried
