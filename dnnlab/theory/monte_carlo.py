"""The norms of gradients along depth by Monte Carlo, where no recursion holds at finite width.

Batch normalisation ties the examples of a batch to each other. What decides is the kernel of the batch, the matrix of
inner products of its examples (Yang 2019, arXiv:1902.08129). Its recursion has more than one fixed point, the symmetric
one need not be stable, and it holds only where a layer has many more units than the batch has examples. So kernels are
carried through random layers of the width asked for. The inputs are normal, with the statistics of those measured, and
the random stream is fixed.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dnnlab.networks import initialisers
from dnnlab.networks.activations import build
from dnnlab.networks.meanfield import zero_of
from dnnlab.networks.shape import GATE_BIAS, NORM_EPS
from dnnlab.theory.setting import OUT_OF_RANGE, Prediction, Setting, slope_weights

UNITS = 512
"""Units of a layer at most; wider ones differ from it by less than theory's error."""
EXAMPLES = 256
"""Of a batch at most; a rate depends on them by some 1/batch."""
_NUMBERS = 2**17
"""Of one layer, over networks, units and examples."""
_FEWEST, _MOST = 4, 64  # networks
_SETTLED = 40
"""Layers after which a network with normalisation and without skips has settled: more of them are as those before."""
_EDGE = 8
"""Layers at each end that differ from those between."""
_KEPT = 2**25
"""Numbers that all networks keep for the way back; four times as many where there are only a few networks."""
_FEATURES = 1024  # of an input at most
_REMEMBERED = 8
"""Distances of layers at which the correlation of steps is told apart."""
_OF_SPREAD = 0.25
"""The standard error that comes from inputs which are not normal, in parts of the spread."""
_OF_UNITS = 2.5
"""And that which comes from fewer units, times 1/units."""
_LARGEST = 3e38


@dataclass
class _Layer:
    """What the way back needs of one layer, ``[network, example, unit]``."""

    u: Tensor
    slope: Tensor
    """φ'(u), times the mask of dropout."""
    scale: Tensor
    """1/σ of the normalisation."""
    weight: Tensor
    """Of the layer behind it."""
    gate: Tensor | None = None
    turned: Tensor | None = None
    """T' times the difference that the gate decides about."""
    gate_weight: Tensor | None = None


class MonteCarlo:
    """Random networks of one setting."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.shape = setting, setting.shape
        self.batch, self.keep = min(setting.batch_size, EXAMPLES), 1 - setting.dropout
        self.depth = self.shape.depth
        if self.shape.norm != "none" and self.shape.skip.kind == "none" and len(set(self.shape.acts)) == 1:
            self.depth = min(self.depth, _SETTLED)
        self.units = min(self.shape.width, UNITS)
        reads = self.depth / 2 if self.shape.skip.kind == "dense" else 1 + (self.shape.skip.kind == "highway")
        self.numbers = self.depth * self.units * (self.units * reads + 4 * self.batch)
        """That are kept for the way back, of one network."""
        few = min(_NUMBERS // (self.units * max(self.batch, 16)), int(_KEPT // self.numbers), _MOST)
        self.networks = max(few, _FEWEST)
        self.random = torch.Generator().manual_seed(0)

    @property
    def too_large(self) -> bool:
        """Whether it would take more memory than theory may."""
        return self.networks * self.numbers > 4 * _KEPT

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(self.networks, *shape, generator=self.random)

    def inputs(self) -> Tensor:
        """A batch ``[network, example, feature]`` whose products have the statistics of the inputs: normal vectors
        around a common mean. Their variances fall as a power, as those of images do, by as much as the products spread.
        """
        told = self.setting.inputs
        features = min(self.shape.inputs, _FEATURES)
        shares = _spectrum(features, told.variance / told.product_spread if told.product_spread > 0 else math.inf)
        z = self._normal(self.batch, features) * torch.from_numpy(np.sqrt(told.variance * shares)).float()
        square = z.square().sum(2, keepdim=True)
        spread = told.variance * math.sqrt(2 * (shares**2).sum())
        wanted = told.variance + (square - told.variance) * min(1.0, told.square_spread / spread)
        z = z * (wanted.clamp(min=0) / square).sqrt()
        turn = torch.linalg.qr(torch.randn(features, features, generator=self.random))[0]
        sign = torch.randint(2, (features,), generator=self.random) * 2 - 1
        common = math.sqrt(max(told.mean_square - told.variance, 0.0))
        return math.sqrt(features) * (z @ turn) + common * sign

    def draw(self, layer: int, gate: bool = False) -> tuple[Tensor, Tensor]:
        """Weights ``[network, fan_in, fan_out]`` and biases ``[network, 1, fan_out]`` of a layer or of its gate."""
        shape, init = self.shape, self.setting.init
        true = (shape.width, shape.width) if gate else (shape.fan_in(layer), shape.fan_out(layer))
        fan_in = min(shape.inputs, _FEATURES) if layer == 1 else true[0] * self.units // shape.width
        fan_out = shape.classes if layer > shape.depth else self.units
        if init == "rai":
            return self._asymmetric(fan_in, fan_out)
        var = initialisers.variances(init, *true, *shape.neighbours(layer))
        weight_std, bias_std = math.sqrt(var.weight * true[0] / fan_in), math.sqrt(var.bias)
        if init in ("torch", "xavier"):
            return self._uniform(fan_in, fan_out) * weight_std, self._uniform(1, fan_out) * bias_std
        weight = self._normal(fan_in, fan_out)
        if init == "orthogonal" and shape.skip.kind != "dense":
            tall = weight if fan_in >= fan_out else weight.transpose(1, 2)
            factor, rest = torch.linalg.qr(tall)
            signs = torch.diagonal(rest, dim1=1, dim2=2).sign()[:, None]  # Haar distributed (Mezzadri 2007)
            factor = factor * signs * math.sqrt(max(fan_in, fan_out))
            weight = factor if fan_in >= fan_out else factor.transpose(1, 2)
        return weight * weight_std, self._normal(1, fan_out) * bias_std

    def _uniform(self, *shape: int) -> Tensor:
        """Uniform numbers of variance 1."""
        return (torch.rand(self.networks, *shape, generator=self.random) - 0.5) * math.sqrt(12)

    def _asymmetric(self, fan_in: int, fan_out: int) -> tuple[Tensor, Tensor]:
        """Of Lu 2019: normal, but one of each unit's weights and bias is Beta(2, 1)."""
        values = self._normal(fan_in + 1, fan_out) * (initialisers.RAI_STD / math.sqrt(fan_in))
        one = torch.randint(fan_in + 1, (self.networks, 1, fan_out), generator=self.random)
        positive = torch.rand(self.networks, 1, fan_out, generator=self.random).sqrt()  # its distribution is x²
        values.scatter_(1, one, positive)
        return values[:, :-1], values[:, -1:]

    @property
    def _over(self) -> int:
        return 1 if self.shape.norm == "batch" else 2

    def normalise(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The normalised ``y``, and 1/σ."""
        if self.shape.norm == "none":
            return y, torch.ones(())
        centred = y - y.mean(self._over, keepdim=True)
        scale = (centred.square().mean(self._over, keepdim=True) + NORM_EPS).rsqrt()
        return centred * scale, scale

    def _through_norm(self, gradient: Tensor, cut: _Layer) -> Tensor:
        if self.shape.norm == "none":
            return gradient
        mean, along = (each.mean(self._over, keepdim=True) for each in (gradient, gradient * cut.u))
        return (gradient - mean - cut.u * along) * cut.scale

    def activate(self, layer: int, u: Tensor) -> tuple[Tensor, Tensor]:
        """φ(u) and φ'(u), both after dropout."""
        with torch.enable_grad():
            leaf = u.detach().requires_grad_()
            h = build(self.shape.acts[layer - 1])(leaf * 1.0)
            (slope,) = torch.autograd.grad(h.sum(), leaf)
        h = h.detach()
        if self.setting.dropout:
            mask = (torch.rand(h.shape, generator=self.random) < self.keep) / self.keep
            h, slope = h * mask, slope * mask
        return h, slope

    @torch.no_grad()
    def log_deltas(self) -> Tensor | None:
        """ln‖δ_l‖ of each network, ``[layer, network]``; ``None`` where pre-activations leave float32."""
        shape, kind = self.shape, self.shape.skip.kind
        weight, bias = self.draw(1)
        y = self.inputs() @ weight + bias
        layers: list[_Layer] = []
        hs: list[Tensor] = []
        for layer in range(1, self.depth + 1):
            if not y.abs().max() < _LARGEST:
                return None
            u, scale = self.normalise(y)
            h, slope = self.activate(layer, u)
            hs = [*hs, h] if kind == "dense" else [h]
            weight, bias = self.draw(layer + 1 if layer < self.depth else shape.depth + 1)
            cut = _Layer(u, slope, scale, weight)
            layers.append(cut)
            branch = torch.cat(hs, dim=2) @ weight + bias
            if layer == self.depth:
                break
            if kind == "residual":
                y = y + shape.skip.scale * branch
            elif kind == "highway":
                cut.gate_weight = self.draw(layer + 1, gate=True)[0]
                cut.gate = torch.sigmoid(GATE_BIAS + y @ cut.gate_weight)
                cut.turned = cut.gate * (1 - cut.gate) * (branch - y)
                y = torch.lerp(y, branch, cut.gate)
            else:
                y = branch
        labels = torch.randint(shape.classes, (self.networks, self.batch), generator=self.random)
        delta = torch.softmax(branch, dim=2) - torch.nn.functional.one_hot(labels, shape.classes)
        return self._backward(delta, layers)

    def _backward(self, delta: Tensor, layers: list[_Layer]) -> Tensor:
        kind = self.shape.skip.kind
        logs: list[Tensor] = []
        level = torch.zeros(self.networks, dtype=torch.float64)
        gathered: list[Tensor] = []
        for layer in range(self.depth, 0, -1):
            cut, above, last = layers[layer - 1], delta, layer == self.depth
            read = above if cut.gate is None else above * cut.gate
            arriving = read @ cut.weight.transpose(1, 2)
            if kind == "dense":
                each = arriving.split(self.units, dim=2)
                gathered = list(each) if last else [a + b for a, b in zip(gathered, each, strict=False)]
                arriving = gathered[layer - 1]
            elif kind == "residual" and not last:
                arriving = self.shape.skip.scale * arriving
            delta = self._through_norm(arriving * cut.slope, cut)
            if kind == "residual" and not last:
                delta = delta + above
            elif cut.gate is not None and cut.gate_weight is not None and cut.turned is not None:
                delta = delta + above * (1 - cut.gate) + (above * cut.turned) @ cut.gate_weight.transpose(1, 2)
            norm = torch.linalg.vector_norm(delta, dim=(1, 2))
            logs.append(level + norm.double().log())
            if kind != "dense":
                level = level + norm.double().log()
                delta = delta / norm[:, None, None]
        return torch.stack(logs[::-1])

    def predict(self) -> Prediction | str:
        """What to expect of a network, or why nothing is."""
        if self.too_large:
            return "a Monte Carlo of so large a network takes too much memory"
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the order of a sum, and with it its last bits, may depend on them
        try:
            logs = self.log_deltas()
        finally:
            torch.set_num_threads(threads)
        if logs is None or logs.isnan().any() or logs.isposinf().any():
            return OUT_OF_RANGE
        if logs.isneginf().any():
            return "some random networks of this kind have no gradient at all"
        return self._summed(logs.numpy())

    def _summed(self, logs: np.ndarray) -> Prediction:
        steps = logs[:-1] - logs[1:]  # from a layer to the one before it, ``[layer, network]``
        mean, variance = steps.mean(axis=1), steps.var(axis=1, ddof=1)
        share = self.units / self.shape.width
        mean = mean + variance.mean() * (1 - share)  # the mean of a logarithm lies lower where units are fewer
        missing = self.shape.depth - self.depth
        settled = slice(_EDGE, -_EDGE)
        unsure = float(variance[settled].mean()) / (self.networks * (len(mean) - 2 * _EDGE)) if missing else 0.0
        if missing:
            mean, variance = (
                np.concatenate([each[:-_EDGE], np.full(missing, each[settled].mean()), each[-_EDGE:]])
                for each in (mean, variance)
            )
        log_delta = np.concatenate([np.cumsum(mean[::-1])[::-1], [0.0]])
        log_delta.setflags(write=False)
        weights = slope_weights(self.shape.depth)
        entering = np.cumsum(weights)[:-1]
        spread2 = _variance_of_sum(entering * np.sqrt(variance), steps)
        fewer = 1 / self.batch - 1 / self.setting.batch_size + _OF_UNITS * (1 / self.units - 1 / self.shape.width)
        error = math.sqrt(spread2 * (1 / self.networks + _OF_SPREAD**2) + unsure + fewer**2)
        return Prediction(log_delta, float(weights @ log_delta), math.sqrt(spread2 * share), error)


def _variance_of_sum(weighted: np.ndarray, steps: np.ndarray) -> float:
    """The variance of a sum of steps over layers, by their ``weighted [layer]`` standard deviations and the
    correlations that ``steps [layer, network]`` have at each distance of layers.
    """
    centred = steps - steps.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True))
    units = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)
    total = float((weighted**2).sum())
    near = min(_REMEMBERED, len(units) - 1)
    for distances in [*([d] for d in range(1, near + 1)), range(near + 1, len(units))]:
        # Each near distance has a correlation of its own, and all others have one.
        pairs = [(units[d:] * units[:-d]).mean(axis=1) for d in distances]
        products = sum(float((weighted[d:] * weighted[:-d]).sum()) for d in distances)
        total += 2 * float(np.concatenate(pairs).mean()) * products if pairs else 0.0
    return max(total, 0.1 * float((weighted**2).sum()))


def _spectrum(features: int, dimensions: float) -> np.ndarray:
    """Shares of the variance ``[feature]`` that fall as a power and count as so many ``dimensions``, as the root of
    what (Σ λ)²/Σ λ² is."""
    numbers = np.arange(1, features + 1, dtype=float)

    def shares(power: float) -> np.ndarray:
        falling = numbers**-power
        return falling / falling.sum()

    def counted(power: float) -> float:
        return 1 / math.sqrt((shares(power) ** 2).sum()) - dimensions

    if counted(0.0) <= 0:
        return shares(0.0)
    return shares(zero_of(counted, 0.0, 30.0)) if counted(30.0) < 0 else shares(30.0)
