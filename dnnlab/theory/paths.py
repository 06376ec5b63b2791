"""The norms of gradients along depth where examples meet only in the weights: without batch normalisation.

The recursions are those of Poole 2016 and Schoenholz 2017 at every layer. They are run for some inputs of different
norms, since inputs whose q differs have gradients that differ, and for some networks of the width asked for, in which
the mean square of each layer is its expectation and a `Fluctuation`.
"""

import math
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.random import default_rng
from scipy.special import gammaincinv

from dnnlab.theory import tables
from dnnlab.theory.alike import Alike, lift, log
from dnnlab.theory.fluctuations import Fluctuation, fluctuations
from dnnlab.theory.setting import OUT_OF_RANGE, Prediction, Setting, slope_weights

REPLICATES = 32
"""Networks whose fluctuations are followed."""
EXAMPLES = 8
"""Inputs of each that are followed."""
_LARGEST = 2 * math.log(3e38 / 6)
"""ln q from which on some unit, six standard deviations out, leaves float32."""
_WILDEST = 1.0
"""The largest variance of ln‖δ_l‖² in one layer for which an expansion in 1/N serves."""

# The standard error of theory itself, in parts of what it knows to first order alone.
_OF_SPREAD = 0.25
_OF_DENSE_SPREAD = 0.4
_OF_FORWARD = 0.5  # the spread that comes from the fluctuations of q
_OF_PULL = 0.7
_OF_STEERING = 0.12
_OF_DENSE = 0.02  # of the log rate
_ROUNDING = 1e-5  # what float32 leaves of a rate that does not fluctuate at all


class Paths:
    """Settings of one `form`. Arrays are ``[setting, replicate, example]``."""

    def __init__(self, settings: Sequence[Setting]) -> None:
        self.alike = Alike(settings)
        self.noise = fluctuations(self.alike)
        self.examples = min(self.alike.batch, EXAMPLES)
        self.xs: list[np.ndarray] = []
        """ln q of each layer."""
        self.branches: list[np.ndarray] = []
        """ln of the mean square of what each layer but the first reads through its weights."""
        self.gains: list[np.ndarray] = []
        """ln of the squared slope from a pre-activation to the activation behind it."""

    def predict(self) -> list[Prediction | str]:
        """What to expect in each setting, or why nothing is."""
        self._forward()
        return self._summed(*self._backward())

    def _forward(self) -> None:
        alike = self.alike
        x = np.log(lift(alike.weight[:, 0], 3) * _squares(alike, self.examples) + lift(alike.bias[:, 0], 3))
        drawn, alone = _normals(alike.depth, self.examples)
        shared: np.ndarray = np.zeros((len(alike.settings), REPLICATES, 1))
        activated: list[np.ndarray] = []
        keep = lift(alike.keep, 3)
        for layer in range(1, alike.depth + 1):
            noise = self.noise[layer - 1]
            if layer > 1:
                x = alike.connect(layer, x, self.branches[-1])
            level, slope = tables.powers(alike.shape.acts[layer - 1])(alike.read(x))
            stays = lift(self.noise[layer - 2].squares, 3) if layer > 1 else 0.0
            shared = stays * shared + np.sqrt(1 - np.square(stays)) * drawn[layer - 1][None, :, None]
            common, own, tied = (lift(each, 3) for each in (noise.common, noise.own, noise.tied))
            spread = common * shared + own * alone[layer - 1] - (common**2 + own**2) / 2
            activated.append(level - np.log(keep) + spread)
            self.xs.append(x)
            self.gains.append(slope - np.log(keep) + tied * shared - tied**2 / 2 + self._normalised(noise, x))
            self.branches.append(alike.branch(layer + 1, activated))

    def _normalised(self, noise: Fluctuation, x: np.ndarray) -> np.ndarray:
        """ln of the factor of layer normalisation, in which 1/σ̂² of N units is larger than 1/q."""
        alike, n = self.alike, self.alike.width
        if alike.norm != "layer":
            return np.zeros_like(x)
        fewer = np.where(alike.orthogonal == 1, 2, 3)
        finite = np.log(n / (n - fewer)) + np.log(1 - noise.lost / n)
        return alike.normaliser(x) + lift(finite, 3)

    def _backward(self) -> tuple[np.ndarray, np.ndarray]:
        """ln‖δ_l‖² ``[layer, setting, replicate, example]``, and the share ``[setting, l, k]`` from layer k."""
        alike, depth = self.alike, self.alike.depth
        deltas = np.empty((depth, *self.xs[0].shape))
        shares = np.zeros((len(alike.settings), depth, depth))
        for layer in range(depth, 0, -1):
            i = layer - 1
            weight = np.log(lift(alike.weight[:, layer], 3))
            branch = weight + self.gains[i]
            if layer == depth:
                deltas[i] = branch
                continue
            shares[:, i, layer] = 1
            match alike.kind:
                case "dense":
                    weights = [np.log(lift(alike.weight[:, k], 3)) for k in range(layer, depth + 1)]
                    above = [*deltas[layer:], np.zeros_like(branch)]
                    arriving = np.array([w + delta for w, delta in zip(weights, above, strict=True)])
                    total = np.logaddexp.reduce(arriving, axis=0)
                    deltas[i] = total + self.gains[i]
                    shares[:, i, layer:] = np.exp(arriving - total).mean((2, 3)).T[:, :-1]
                case "residual":
                    deltas[i] = deltas[layer] + np.logaddexp(0, branch + np.log(lift(alike.scale, 3)))
                case "highway":
                    opened, carried, turned, _ = alike.gates(layer + 1, self.xs[i])
                    stream = self.xs[i] + np.log(lift(self.noise[i].tilt, 3))
                    steer = turned + np.log(lift(alike.gate[:, layer], 3)) + np.logaddexp(self.branches[i], stream)
                    deltas[i] = deltas[layer] + np.logaddexp(carried, np.logaddexp(opened + branch, steer))
                case _:
                    deltas[i] = deltas[layer] + branch
        return deltas, shares

    def _over_examples(self, logs: np.ndarray) -> np.ndarray:
        """ln of the mean of exp ``logs [layer, setting, replicate, example]`` over examples.

        Where a batch has more examples than are followed, what sets one apart from the mean of its network is taken
        from other networks, too: a sum over many examples has its largest ones, which few do not show.
        """
        middle = logs.mean(axis=3, keepdims=True)
        largest = (logs - middle).max(axis=(2, 3), keepdims=True)
        powers = np.exp(logs - middle - largest).mean(axis=3)
        count = min(max(self.alike.batch // self.examples, 1), REPLICATES)
        pooled = sum(np.roll(powers, shift, axis=2) for shift in range(count)) / count
        result: np.ndarray = np.log(pooled) + middle[..., 0] + largest[..., 0]
        return result

    def _summed(self, deltas: np.ndarray, shares: np.ndarray) -> list[Prediction | str]:
        depth = self.alike.depth
        weights = slope_weights(depth)
        logs = self._over_examples(deltas) / 2  # [layer, setting, replicate]
        fresh, frozen, pulled, steered = (
            np.array([getattr(noise, name) for noise in self.noise]).T
            for name in ("fresh", "frozen", "pulled", "steered")
        )
        fresh[:, -1] = frozen[:, -1] = 0  # the rate begins at the last layer
        # What fluctuates at one layer goes on to those below.
        passed = np.linalg.inv(np.eye(depth) - shares)
        entering = np.einsum("l,slk->sk", weights, passed)
        log_delta = logs.mean(axis=2).T + np.einsum("slk,sk->sl", passed, pulled / 2 - (fresh + frozen) / 4)
        forward = np.einsum("l,lsr->sr", weights, logs).std(axis=1)
        stays = entering * np.sqrt(frozen)
        backward = (entering**2 * fresh).sum(1) + np.einsum("sl,slk,sk->s", stays, self._remembered(), stays)
        spread = np.sqrt(backward / 4 + forward**2)
        rate = log_delta @ weights
        dense = self.alike.kind == "dense"
        error = np.sqrt(
            ((_OF_DENSE_SPREAD if dense else _OF_SPREAD) * spread) ** 2
            + (_OF_FORWARD * forward) ** 2
            + (_OF_PULL / 2 * (entering * pulled).sum(1)) ** 2
            + (_OF_STEERING * (abs(entering) * steered).sum(1)) ** 2
            + (_OF_DENSE * rate * dense) ** 2
            + _ROUNDING**2
        )
        largest = np.array(self.xs).max(axis=(0, 2, 3))
        wildest = (fresh + frozen).max(axis=1)
        log_delta.setflags(write=False)  # whoever asks next gets the same array
        found: list[Prediction | str] = []
        for s in range(len(rate)):
            if not (largest[s] < _LARGEST and np.isfinite([*log_delta[s], error[s]]).all()):
                found.append(OUT_OF_RANGE)
            elif wildest[s] > _WILDEST:
                found.append("gradients of layers so narrow fluctuate too much for theory to first order")
            else:
                found.append(Prediction(log_delta[s], float(rate[s]), float(spread[s]), float(error[s])))
        return found

    def _remembered(self) -> np.ndarray:
        """The correlation between layers of what comes with units, ``[setting, layer, layer]``."""
        steps = np.maximum(log(np.array([noise.slopes for noise in self.noise[:-1]])), -1e3)
        places = np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0)]).T
        result: np.ndarray = np.exp(-abs(places[:, :, None] - places[:, None]))
        return result


def _squares(alike: Alike, examples: int) -> np.ndarray:
    """Mean squares of inputs ``[setting, replicate, example]``: of a gamma distribution with the mean and the spread
    measured, which is that of normal inputs."""
    many = alike.batch > examples
    squares = np.empty((len(alike.settings), REPLICATES, examples))
    for square, setting in zip(squares, alike.settings, strict=True):
        mean, spread = setting.inputs.mean_square, setting.inputs.square_spread
        shape = (mean / spread) ** 2 if spread > 0 else math.inf
        square[:] = mean * (_gamma(shape, examples, many) if shape < 1e6 else 1.0)
    return squares


@lru_cache(maxsize=256)
def _gamma(shape: float, examples: int, many: bool) -> np.ndarray:
    drawn: np.ndarray = gammaincinv(shape, _places(examples, many))
    return drawn / drawn.mean()


@cache
def _places(examples: int, many: bool) -> np.ndarray:
    """Where in their distribution the inputs lie, ``[replicate, example]``: the ``many`` of a large batch cover it in
    each network, those of a small one only in all networks together."""
    rng = default_rng(1)
    within = np.stack([(rng.permutation(REPLICATES) + 0.5) / REPLICATES for _ in range(examples)], axis=1)
    return (np.arange(examples) + within) / examples if many else within


@lru_cache(maxsize=64)
def _normals(depth: int, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal numbers from a fixed stream: ``[layer, replicate]``, and ``[layer, replicate, example]`` that
    average to zero over examples. Those of 31 layers in a row have mean 0 and variance 1 and are uncorrelated exactly.
    """
    rng = default_rng(0)
    blocks = []
    for _ in range(0, depth, REPLICATES - 1):
        drawn = np.concatenate([np.ones((REPLICATES, 1)), rng.standard_normal((REPLICATES, REPLICATES - 1))], axis=1)
        blocks.append(np.linalg.qr(drawn)[0][:, 1:].T * math.sqrt(REPLICATES))
    alone = rng.standard_normal((depth, REPLICATES, examples))
    alone -= alone.mean(axis=2, keepdims=True)
    if examples > 1:
        alone /= math.sqrt(1 - 1 / examples)
    return np.concatenate(blocks)[:depth], alone
