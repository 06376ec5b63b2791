"""What mean-field theory predicts of a fully connected network at initialisation: the norm of δ, layer by layer.

The recursions are those of Poole 2016 and Schoenholz 2017, run at every layer rather than at a fixed point,
with normalisation (Yang 2019, here with the finite batch), residual branches, highway gates and dense
concatenation added. In each, E‖δ_l‖² follows from E‖δ_{l+1}‖² because fresh random weights decorrelate a
layer's gradient from its inputs.
"""

import contextlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import expit

from dnnlab.networks import initialisers
from dnnlab.networks.meanfield import PairMoments, depth_scale, moments, pair_moments
from dnnlab.networks.meanfield import prepare as prepare_moments
from dnnlab.networks.shape import GATE_BIAS, MLPShape


@dataclass(frozen=True)
class InputStatistics:
    """What theory needs to know of the inputs of a network, each averaged over features.

    Inputs that are standardised have both near 1:

    >>> from dnnlab.theory import InputStatistics
    >>> InputStatistics(mean_square=1.0, variance=1.0)
    InputStatistics(mean_square=1.0, variance=1.0)
    """

    mean_square: float
    """The mean square of a feature."""
    variance: float
    """Over the batch, unbiased. It is less than the mean square where features have a mean."""


@dataclass(frozen=True)
class Setting:
    """A fully connected network at initialisation, and what it reads: what `predict_gradients` is asked about.

    >>> from dnnlab.networks import MLPShape
    >>> from dnnlab.theory import InputStatistics, Setting
    >>> shape = MLPShape(inputs=64, classes=10, depth=20, width=100, acts=("sigmoid",) * 20)
    >>> setting = Setting(shape, "xavier", InputStatistics(1.0, 1.0), batch_size=128)
    >>> setting.dropout
    0.0
    """

    shape: MLPShape
    """What the network looks like."""
    init: str
    """One of `dnnlab.networks.INITIALISERS`."""
    inputs: InputStatistics
    """What is known of its inputs."""
    batch_size: int
    """Examples in a batch; with batch normalisation it matters, and must be above 3."""
    dropout: float = 0.0
    """The probability that a unit is dropped."""


@dataclass(frozen=True)
class Prediction:
    """What theory expects of the norm of δ_l, the gradient of the loss at the output of layer l."""

    log_delta: np.ndarray
    """The expected ln‖δ_l‖ of layers 1 … depth, up to a constant, ``[depth]``."""
    log_rate: float
    """The logarithm of the factor from a layer to the one before it: the slope of a line through ``log_delta``."""
    spread: float
    """The standard deviation of one network's log rate, over random weights."""
    bias: float
    """The error that theory itself may have at this width and batch size."""

    def standard_error(self, seeds: int) -> float:
        """The standard error of a mean log rate over ``seeds``. What is chance shrinks with their number, theory's own
        error does not."""
        return math.hypot(self.spread / math.sqrt(seeds), self.bias)


def slope_weights(depth: int) -> np.ndarray:
    """Weights ``[depth]`` whose product with ln‖δ_l‖, l = 1 … depth, is the least-squares log rate.

    The rate is the factor from a layer to the one *before* it, so it counts layers downwards; one layer has none, nan.
    """
    if depth < 2:
        return np.full(depth, math.nan)
    layers = np.arange(depth, dtype=float)
    centred = layers - layers.mean()
    weights: np.ndarray = -centred / (centred**2).sum()
    return weights


@dataclass(frozen=True)
class _Gate:
    """Expectations of a highway gate T = σ(t), t ~ N(bias, var): E T², E (1 - T)², E T'²."""

    open: float
    carry: float
    slope: float


@lru_cache(maxsize=4096)
def _gate(variance: float) -> _Gate:
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    t = expit(GATE_BIAS + math.sqrt(variance) * nodes)
    return _Gate(float(weights @ t**2), float(weights @ (1 - t) ** 2), float(weights @ (t * (1 - t)) ** 2))


class _Layers:
    """Forward statistics of every hidden layer, by the recursions."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.shape = setting, setting.shape
        self.keep = 1 - setting.dropout
        self.q: list[float] = []  # mean square of y_l
        self.v: list[float] = []  # its variance over the batch

    def advance(self) -> None:
        """Go one layer on, unless this was the last."""
        if len(self.q) < self.shape.depth:
            q, v = self._next(len(self.q) + 1)
            self.q.append(q)
            self.v.append(v)

    def weight(self, layer: int) -> float:
        """σw² of layer 1 … depth + 1 for each block of units that it reads: fan of the block · Var W."""
        fan = self.setting.shape.inputs if layer == 1 else self.shape.width
        return fan * self._variances(layer).weight

    def _variances(self, layer: int) -> initialisers.Variances:
        shape = self.shape
        return initialisers.variances(
            self.setting.init, shape.fan_in(layer), shape.fan_out(layer), *shape.neighbours(layer)
        )

    def gate_weight(self, layer: int) -> float:
        variances = initialisers.variances(
            self.setting.init, self.shape.width, self.shape.width, *self.shape.neighbours(layer)
        )
        return self.shape.width * variances.weight

    def activated(self, layer: int, q: float) -> float:
        """E φ² in a hidden layer whose pre-activation has mean square ``q``."""
        act = self.shape.acts[layer - 1]
        return moments(act, q if self.shape.norm == "none" else 1.0).square / self.keep

    def _batch_variance(self, layer: int) -> float:
        """Variance of φ over the batch, after batch norm."""
        act = self.shape.acts[layer - 1]
        return (moments(act, 1.0).square - self._pair(act).product) / self.keep

    def _pair(self, act: str) -> PairMoments:
        """Two examples of a normalised batch: their correlation is -1/(B - 1)."""
        return pair_moments(act, 1.0, -1 / (self.setting.batch_size - 1))

    def _next(self, layer: int) -> tuple[float, float]:
        if layer == 1:
            inputs, weight = self.setting.inputs, self.weight(1)
            return weight * inputs.mean_square + self._variances(1).bias, weight * inputs.variance
        q = self.q_after(layer - 1, self.q[-1])
        if self.shape.norm != "batch":
            return q, math.nan
        reads = range(1, layer) if self.shape.skip.kind == "dense" else (layer - 1,)
        branch = self.weight(layer) * sum(self._batch_variance(i) for i in reads)
        return q, self._through_skip(layer, branch, self.v[-1], self.q[-1])

    def q_after(self, layer: int, q: float) -> float:
        """The mean square of y_{layer + 1}, had y_layer the mean square ``q``."""
        squares = self.activated(layer, q)
        if self.shape.skip.kind == "dense":
            squares += sum(self.activated(i, self.q[i - 1]) for i in range(1, layer))
        branch = self.weight(layer + 1) * squares + self._variances(layer + 1).bias
        return self._through_skip(layer + 1, branch, q, q)

    def _through_skip(self, layer: int, branch: float, stream: float, q: float) -> float:
        """The power of y_layer: of the branch, and of the ``stream`` through the skip (``q`` sets the gate)."""
        if self.shape.skip.kind == "residual":
            return stream + self.shape.skip.scale**2 * branch
        if self.shape.skip.kind == "highway":
            gate = _gate(self.gate_weight(layer) * q)
            return gate.open * branch + gate.carry * stream
        return branch

    def slope_at(self, layer: int, q: float) -> float:
        """E of the squared slope from y_layer to φ(norm(y_layer)), had y_layer the mean square ``q``."""
        act = self.shape.acts[layer - 1]
        match self.shape.norm:
            case "batch":
                m, pair, batch = moments(act, 1.0), self._pair(act), self.setting.batch_size
                # A unit's batch loses its mean and its own direction; 1/σ̂² of B examples averages (B-1)/(B-3)/σ².
                kept = m.slope2 * (batch - 1) + pair.slopes - (m.tilt2 - pair.tilts)
                return kept / (batch - 3) / self.v[layer - 1] / self.keep
            case "layer":
                return moments(act, 1.0).slope2 / q / self.keep
            case _:
                return moments(act, q).slope2 / self.keep

    def kurtosis(self, layer: int) -> float:
        """E φ'⁴ / (E φ'²)²."""
        m = moments(self.shape.acts[layer - 1], self.q[layer - 1] if self.shape.norm == "none" else 1.0)
        return m.slope4 / m.slope2**2 / self.keep


@lru_cache(maxsize=65536)
def predict(setting: Setting) -> Prediction | None:
    """How the gradient's norm changes from layer to layer in a fully connected network, before any training.

    The recursions are those of Poole 2016 (arXiv:1606.05340) and Schoenholz 2017 (arXiv:1611.01232), run layer by
    layer. Normalisation (Yang 2019, arXiv:1902.08129), residual branches, highways and dense skips are added. It gives
    ``None`` where a number leaves the range of floats.

    Args:
        setting: The network and its inputs.

    Raises:
        UsageError: ``critical`` was asked of an activation that has no critical point, or theory does not cover the
            initialiser.

    Under LeCun's initialisation, Var W = 1/fan_in, a layer of ReLUs halves the square of the gradient:

    >>> import math
    >>> from dnnlab.networks import MLPShape
    >>> from dnnlab.theory import InputStatistics, Setting, predict_gradients
    >>> shape = MLPShape(inputs=64, classes=10, depth=20, width=100, acts=("relu",) * 20)
    >>> prediction = predict_gradients(Setting(shape, "lecun", InputStatistics(1.0, 1.0), batch_size=128))
    >>> f"{math.exp(prediction.log_rate) ** 2:.3f}"
    '0.500'
    """
    with np.errstate(all="ignore"):
        try:
            prediction = _predict(setting)
        except _OUT_OF_RANGE:
            return None
    return prediction if math.isfinite(prediction.log_rate) and prediction.spread > 0 else None


_OUT_OF_RANGE = (ValueError, ZeroDivisionError, OverflowError)
"""What the logarithm of zero and a division by zero raise; a `UsageError` is a ValueError, too."""


def log_rate(setting: Setting) -> float:
    """The ``log_rate`` of `predict` alone, for a third of the time; nan where a number leaves the range of floats, or
    theory does not cover the initialiser.
    """
    with np.errstate(all="ignore"):
        try:
            rate = float(slope_weights(setting.shape.depth) @ _backward(setting)[0])
        except _OUT_OF_RANGE:
            return math.nan
    return rate if math.isfinite(rate) else math.nan


def prepare(settings: Iterable[Setting], *, rates_alone: bool = False) -> None:
    """Compute what `predict` needs for all of the ``settings`` at once, layer by layer: it is quick afterwards. With
    ``rates_alone`` what `log_rate` needs."""
    todo = [_layers(setting) for setting in settings if setting.shape.norm == "none"]
    with np.errstate(all="ignore"):
        while todo:
            todo = [layers for layers in todo if _advanced(layers)]
            places = [(layers.shape.acts[len(layers.q) - 1], layers.q[-1]) for layers in todo]
            factors = (1,) if rates_alone else (1, 1 - _STEP, 1 + _STEP)
            prepare_moments((act, q * factor) for act, q in places for factor in factors)


def _advanced(layers: _Layers) -> bool:
    """Whether the ``layers`` could go one layer on."""
    before = len(layers.q)
    with contextlib.suppress(*_OUT_OF_RANGE):  # whoever asks for the prediction will meet it again
        layers.advance()
    return len(layers.q) > before


def max_trainable_depth(setting: Setting) -> float:
    """6 ξ_c of a plain network of one activation (Schoenholz 2017); nan for others, which have no ξ_c."""
    shape = setting.shape
    if shape.norm != "none" or shape.skip.kind != "none" or len(set(shape.acts)) > 1 or setting.dropout:
        return math.nan
    variances = initialisers.variances(setting.init, shape.width, shape.width, shape.acts[0], shape.acts[0])
    return 6 * depth_scale(shape.acts[0], shape.width * variances.weight, variances.bias)


@lru_cache(maxsize=1024)
def _layers(setting: Setting) -> _Layers:
    return _Layers(setting)


def _predict(setting: Setting) -> Prediction:
    log_delta, increments = _backward(setting)
    log_delta.setflags(write=False)  # whoever asks next gets the same array
    weights = slope_weights(setting.shape.depth)
    # ln‖δ_l‖ is a sum of the increments of layers l … depth - 1, so increment k enters with the weights up to k.
    entering = np.cumsum(weights)[:-1]
    backward = float((entering**2 * increments[:-1] / 4).sum())
    spread = math.sqrt(backward + _forward_noise(_layers(setting), entering))
    return Prediction(log_delta, float(weights @ log_delta), spread, float(entering @ increments[:-1] / 4))


def _backward(setting: Setting) -> tuple[np.ndarray, np.ndarray]:
    """The expected ln‖δ_l‖ of layers 1 … depth, and the variance of ln‖δ_l‖² - ln‖δ_{l+1}‖²."""
    layers, shape = _layers(setting), setting.shape
    while len(layers.q) < shape.depth:
        layers.advance()
    squares = np.ones(shape.depth + 1)  # E‖δ_l‖² of layers 1 … depth + 1
    increments = np.zeros(shape.depth)  # variance of ln‖δ_l‖² - ln‖δ_{l+1}‖²
    for layer in range(shape.depth, 0, -1):
        slope, kurtosis = layers.slope_at(layer, layers.q[layer - 1]), layers.kurtosis(layer)
        noise = (3 * kurtosis - 1) / shape.width
        above = squares[layer]
        branch = layers.weight(layer + 1) * slope
        if shape.skip.kind == "dense":
            arriving = sum(layers.weight(k) * squares[k - 1] for k in range(layer + 1, shape.depth + 2))
            squares[layer - 1] = slope * arriving
        elif shape.skip.kind == "residual" and layer < shape.depth:
            branch *= shape.skip.scale**2
            squares[layer - 1] = above * (1 + branch)
            noise = (4 * branch / shape.width + branch**2 * noise) / (1 + branch) ** 2
        elif shape.skip.kind == "highway" and layer < shape.depth:
            q = layers.q[layer - 1]
            gate = _gate(layers.gate_weight(layer + 1) * q)
            proposal = layers.weight(layer + 1) * layers.activated(layer, q)
            steer = gate.slope * layers.gate_weight(layer + 1) * (proposal + q)
            squares[layer - 1] = above * (gate.carry + gate.open * branch + steer)
        else:
            squares[layer - 1] = above * branch
        increments[layer - 1] = noise
    return np.log(squares[: shape.depth]) / 2, increments


_STEP = 1e-4
"""The relative change of a mean square that derivatives are taken over."""


def _forward_noise(layers: _Layers, entering: np.ndarray) -> float:
    """Variance of the log rate from the chance in each layer's mean square q, carried through the recursion.

    A width-N layer realises its q only to within (1 + E φ⁴/(E φ²)²)/N, and what follows depends on it: little
    where q settles, much where it runs off or dies out. Batch norm and dense reading average it away.
    """
    shape = layers.shape
    if shape.norm == "batch" or shape.skip.kind == "dense":
        return 0.0
    onward, tilt, noise = np.zeros(shape.depth), np.zeros(shape.depth), np.zeros(shape.depth)
    for layer in range(1, shape.depth):
        q = layers.q[layer - 1]
        low, high = q * (1 - _STEP), q * (1 + _STEP)
        onward[layer] = math.log(layers.q_after(layer, high) / layers.q_after(layer, low)) / (2 * _STEP)
        tilt[layer - 1] = math.log(layers.slope_at(layer, high) / layers.slope_at(layer, low)) / (2 * _STEP)
        m = moments(shape.acts[layer - 1], 1.0 if shape.norm == "layer" else q)
        noise[layer] = (1 + m.fourth / m.square**2) / shape.width
    total = 0.0
    for start in range(1, shape.depth - 1):  # the inputs' own q is known, so chance enters from layer 2 on
        reach = np.cumprod(np.concatenate([[1.0], onward[start + 1 : -1]]))
        response = float((entering[start:] * tilt[start:-1] * reach).sum()) / 2
        total += response**2 * float(noise[start])
    return total
