"""The shape of a fully connected network: what two of them must share to run as one stacked program.

Importing this module does not import torch.
"""

import math
from dataclasses import dataclass

from dnnlab.errors import UsageError, unknown
from dnnlab.networks.activations import per_layer

NORMS = {
    "none": "no normalisation",
    "batch": "batch normalisation before the activation (Ioffe & Szegedy 2015)",
    "layer": "layer normalisation before the activation (Ba 2016)",
}

SKIPS = {
    "none": "a plain stack",
    "residual": "y + F(y) around every layer but the first (He 2016)",
    "residual:SCALE": "y + SCALE·F(y), such as residual:0.22",
    "highway": "T·F(y) + (1 - T)·y with a learned gate T (Srivastava 2015)",
    "dense": "every layer reads all earlier ones (Huang 2017)",
}

NORM_EPS = 1e-5
"""Added to the variance in a normalisation against division by zero, as in torch.nn.BatchNorm1d and LayerNorm."""
GATE_BIAS = -2.0
"""The initial bias of highway gates: they start mostly closed, as Srivastava 2015 advises."""


@dataclass(frozen=True)
class Skip:
    """The skip connections of a fully connected network.

    With dense ones, each layer reads the activations of all earlier layers:

    >>> from dnnlab.networks import MLPShape, Skip
    >>> dense = MLPShape(inputs=4, classes=2, depth=3, width=8, acts=("tanh",) * 3, skip=Skip("dense"))
    >>> [dense.fan_in(layer) for layer in (1, 2, 3, 4)]
    [4, 8, 16, 24]
    """

    kind: str
    """``none``, ``residual`` (He 2016), ``highway`` (Srivastava 2015) or ``dense`` (Huang 2017)."""
    scale: float = 1.0
    """The factor on a residual branch; the other kinds have none."""


def parse_skip(text: str) -> Skip:
    """Read ``none``, ``residual``, ``residual:0.22``, ``highway`` or ``dense``.

    Raises:
        UsageError: it is none of these, or SCALE is not a positive number.
    """
    name, colon, argument = text.partition(":")
    if name == "residual" and colon:
        try:
            scale = float(argument)
        except ValueError:
            scale = math.nan
        if not 0 < scale < math.inf:
            raise UsageError(f"skip {text!r} needs a positive number after the colon, such as residual:0.22.")
        return Skip("residual", scale)
    if text not in SKIPS or text == "residual:SCALE":
        raise unknown("skip", text, SKIPS)
    return Skip(text)


@dataclass(frozen=True)
class MLPShape:
    """What a fully connected network looks like. `MLP` and `StackedMLP` make networks of it.

    Layer ``l`` computes ``y_l = W_l φ(norm(y_{l-1})) + b_l``; the first layer reads the inputs themselves. With a
    residual skip it computes ``y_l = y_{l-1} + scale · (W_l φ(norm(y_{l-1})) + b_l)``. The output layer reads
    ``φ(norm(y_depth))``. So a plain network and its residual twin differ in one term, and δ_l is the gradient of the
    loss at ``y_l`` in both.

    Raises:
        UsageError: nobody knows the ``norm``.

    Of 64 inputs, two hidden layers of 100 units and 10 classes, 64·100 + 100·100 + 100·10 weights and 210 biases:

    >>> from dnnlab.networks import MLPShape
    >>> shape = MLPShape(inputs=64, classes=10, depth=2, width=100, acts=("relu", "relu"))
    >>> shape.macs(), shape.weight_count()
    (17400, 17610)
    """

    inputs: int
    """Features of one input."""
    classes: int
    """Logits of the output layer."""
    depth: int
    """Hidden layers."""
    width: int
    """Units of each hidden layer."""
    acts: tuple[str, ...]
    """The activation of each hidden layer: names of `ACTIVATIONS` or classes of ``torch.nn``."""
    norm: str = "none"
    """Before each activation: ``none``, ``batch`` (Ioffe & Szegedy 2015) or ``layer`` (Ba 2016)."""
    skip: Skip = Skip("none")
    """Around every hidden layer but the first."""

    def __post_init__(self) -> None:
        if self.norm not in NORMS:  # the code would take any other name for batch normalisation
            raise unknown("norm", self.norm, NORMS)

    @classmethod
    def like(cls, act: str, depth: int, width: int, norm: str, skip: str) -> "MLPShape":
        """The shape of these options for ten classes and as many inputs as units. It serves to ask what a network costs
        before the data are known."""
        return cls(width, 10, depth, width, per_layer(act, depth), norm, parse_skip(skip))

    def fan_in(self, layer: int) -> int:
        """Inputs of layer 1 … depth + 1; the last is the output."""
        if layer == 1:
            return self.inputs
        return self.width * (layer - 1) if self.skip.kind == "dense" else self.width

    def fan_out(self, layer: int) -> int:
        """Outputs of layer 1 … depth + 1."""
        return self.classes if layer == self.depth + 1 else self.width

    def neighbours(self, layer: int) -> tuple[str | None, str]:
        """The activations before and after the weights of layer 1 … depth + 1."""
        before = self.acts[layer - 2] if layer > 1 else None
        return before, self.acts[min(layer, self.depth) - 1]

    def weight_count(self) -> int:
        """The number of trained parameters of one network: weights, biases, and parameters of norms, gates and
        PReLU."""
        total = sum((self.fan_in(i) + 1) * self.fan_out(i) for i in range(1, self.depth + 2))
        if self.norm != "none":
            total += 2 * self.width * self.depth
        if self.skip.kind == "highway":
            total += (self.width + 1) * self.width * (self.depth - 1)
        return total + self.acts.count("prelu")

    def bytes(self, batch_size: int) -> int:
        """Bytes that one training step of one network takes at least, in float32: weights, their gradients, and the
        activations of every layer."""
        activations = batch_size * (self.depth * self.width + self.classes)
        return 4 * (2 * self.weight_count() + activations)

    def macs(self) -> int:
        """Multiply–accumulates of one forward pass of one example."""
        total = sum(self.fan_in(i) * self.fan_out(i) for i in range(1, self.depth + 2))
        return total + (self.width**2 * (self.depth - 1) if self.skip.kind == "highway" else 0)
