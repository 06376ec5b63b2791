"""Bounds of every pre-activation over a whole box of inputs: interval arithmetic, rounded the safe way.

A box is a centre and a radius in float64. Every affine map widens its radius by what float32 arithmetic can err
in any order of summation (Higham 2002, chapter 3), so the bounds hold for the network as it runs, not only for
the one on paper.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dnnlab.instruments.census import Census
from dnnlab.networks.activations import activation, build
from dnnlab.networks.shape import NORM_EPS
from dnnlab.networks.stacked import StackedMLP

UNIT = 2.0**-24
"""The relative error of one float32 operation."""
_SLACK = 2.0**-20  # of a transcendental function in float32, relative to 1 + |u|
_EXACT = ("relu", "relu6", "linear")
MONOTONE = (
    *("linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "celu", "selu", "softplus", "softsign"),
    *("hardtanh", "relu6", "hardsigmoid", "logsigmoid"),
)
"""The activations that never fall, with the parameters that they have in PyTorch."""
_MINIMISERS = {"prelu": 0.0, "swish": -1.2784645, "silu": -1.2784645, "gelu": -0.7517916, "mish": -1.1924394}
_MINIMISERS |= {"hardswish": -1.5}
"""Where functions that fall and then rise turn; a PReLU whose slope was learned below zero turns at 0."""


@dataclass(frozen=True)
class Box:
    """All tensors within ``radius`` of ``centre``, elementwise."""

    centre: Tensor
    radius: Tensor

    @classmethod
    def between(cls, low: Tensor, high: Tensor) -> "Box":
        """The box between its two ends; where one is infinite, so is the radius."""
        low, high = low.double(), high.double()
        centre = ((low + high) / 2).nan_to_num(0.0, 0.0, 0.0)
        return cls(centre, torch.maximum(high - centre, centre - low))

    @classmethod
    def anything(cls, like: Tensor) -> "Box":
        """A box without bounds."""
        return cls(torch.zeros_like(like, dtype=torch.float64), torch.full_like(like, torch.inf, dtype=torch.float64))

    @property
    def low(self) -> Tensor:
        return self.centre - self.radius

    @property
    def high(self) -> Tensor:
        return self.centre + self.radius

    @property
    def largest(self) -> Tensor:
        """The largest magnitude in the box."""
        return self.centre.abs() + self.radius

    def widened(self, error: Tensor) -> "Box":
        return Box(self.centre, self.radius + error)


def affine(
    box: Box, apply: Callable[[Tensor, Tensor, Tensor | None], Tensor], weight: Tensor, bias: Tensor | None, terms: int
) -> Box:
    """``apply(x, weight, bias)``, linear in x and in the weights, of a box; ``terms`` products make one output."""
    weight = weight.detach().double()
    bias = None if bias is None else bias.detach().double()
    magnitude = None if bias is None else bias.abs()
    # Infinite radii would meet zero weights as nan; nan widens nothing, so it becomes infinite again.
    radius = apply(box.radius, weight.abs(), None).nan_to_num(torch.inf)
    error = terms_error(terms) * apply(box.largest, weight.abs(), magnitude).nan_to_num(torch.inf)
    return Box(apply(box.centre, weight, bias), radius + error)


def terms_error(terms: int) -> float:
    """Relative error of a float32 sum of ``terms`` products and a bias, and of this module's own in float64."""
    return (terms + 2) * UNIT * 1.01


def activate(box: Box, act: str, function: Callable[[Tensor], Tensor]) -> Box:
    """φ of a box. ``function`` computes it in float64; an activation of unknown shape bounds nothing."""
    if act not in MONOTONE and act not in _MINIMISERS:
        return Box.anything(box.centre)
    ends = torch.stack([function(box.low), function(box.high)])
    low, high = ends.amin(0), ends.amax(0)
    if act in _MINIMISERS:
        turn = torch.full_like(box.centre, _MINIMISERS[act])
        inside = (box.low <= turn) & (turn <= box.high)
        low = torch.where(inside, torch.minimum(low, function(turn)), low)
    bounded = Box.between(low.nan_to_num(-torch.inf), high.nan_to_num(torch.inf))
    return bounded if act in _EXACT else bounded.widened(_SLACK * (1 + box.largest))


@torch.no_grad()
def certified_dead(stack: StackedMLP, low: Tensor, high: Tensor, census: Sequence[Census]) -> list[Tensor]:
    """Units ``[member, unit]`` of each hidden layer that are zero on every input between ``low`` and ``high
    [feature]``: the upper bound of what their activation reads is below the point up to which it is zero.

    With batch norm, of the network that normalises by the statistics of ``census``.
    """
    shape, parameters = stack.shape, stack.parameters

    def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return x @ weight if bias is None else x @ weight + bias

    def through(name: str, layer: int, box: Box) -> Box:
        weight, bias = ("gate", "gate_bias") if name == "gate" else ("weight", "bias")
        matrix = parameters[f"{weight}.{layer}"]
        return affine(box, linear, matrix, parameters[f"{bias}.{layer}"], matrix.shape[1])

    outputs: list[Box] = []
    dead = []
    inputs = Box.between(low, high)
    y = through(
        "weight", 1, Box(inputs.centre.expand(stack.members, 1, -1), inputs.radius.expand(stack.members, 1, -1))
    )
    for layer in range(1, shape.depth + 1):
        if layer > 1:
            read = outputs if shape.skip.kind == "dense" else outputs[-1:]
            joined = Box(torch.cat([b.centre for b in read], -1), torch.cat([b.radius for b in read], -1))
            y = _connected(stack, y, through("weight", layer, joined))
        u = _normalised(stack, layer, y, census[layer - 1])
        act = shape.acts[layer - 1]
        edge = activation(act).zero_up_to
        never = torch.zeros_like(u.high[:, 0], dtype=torch.bool)
        dead.append(never if edge is None else u.high[:, 0] < edge)
        outputs.append(activate(u, act.lower(), _function(stack, layer)))
    return dead


def _function(stack: StackedMLP, layer: int) -> Callable[[Tensor], Tensor]:
    act = stack.shape.acts[layer - 1]
    if act == "prelu":
        slope = stack.parameters[f"slope.{layer}"].double()
        return lambda u: torch.where(u > 0, u, slope * u)
    return build(act)


def _connected(stack: StackedMLP, y: Box, branch: Box) -> Box:
    skip = stack.shape.skip
    if skip.kind == "residual":
        total = Box(y.centre + skip.scale * branch.centre, y.radius + skip.scale * branch.radius)
        return total.widened(3 * UNIT * (y.largest + skip.scale * branch.largest))
    if skip.kind == "highway":  # a mixture lies between the two, whatever the gate
        mixed = Box.between(torch.minimum(y.low, branch.low), torch.maximum(y.high, branch.high))
        return mixed.widened(4 * UNIT * (y.largest + branch.largest))
    return branch


def _normalised(stack: StackedMLP, layer: int, y: Box, census: Census) -> Box:
    if stack.shape.norm == "none":
        return y
    gamma, beta = (stack.parameters[f"{name}.{layer}"].double() for name in ("gamma", "beta"))
    if stack.shape.norm == "layer":  # of n numbers with mean 0 and mean square 1, none is larger than √n
        return Box(beta.expand_as(y.centre), (gamma.abs() * stack.shape.width**0.5).expand_as(y.radius))
    mean, var = census.y_mean.double().unsqueeze(1), census.y_var.double().unsqueeze(1)
    scale = gamma / torch.sqrt(var + NORM_EPS)
    u = Box((y.centre - mean) * scale + beta, y.radius * scale.abs())
    return u.widened(8 * UNIT * ((y.largest + mean.abs()) * scale.abs() + beta.abs()))
