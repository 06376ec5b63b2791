"""The common part of cells whose network is a multi-layer perceptron of dnnlab, or a user's own network."""

import math

from dnnlab.networks.activations import per_layer
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.runner.experiment import ALONE, THREADS

_LARGE = 2**24
"""Multiply–accumulates of a layer from which all threads of the machine take its product: some half a millisecond of
one thread."""


class MLPCell:
    """The base of a dataclass that has these fields, among others, in the order of its columns."""

    model: str
    """The user's own network; empty for one of dnnlab's."""
    act: str
    norm: str
    skip: str
    depth: int
    width: int
    data: str
    batch_size: int

    most_on_cpu = 8
    """Cells of a stack on a CPU: more are hardly quicker for each, and several stacks can be measured at once."""

    def __str__(self) -> str:
        if self.model:
            return f"{self.model} on {self.data}"
        return f"{self.act} depth {self.depth} width {self.width} norm {self.norm} skip {self.skip} on {self.data}"

    @property
    def beside(self) -> str:
        """Several threads gain nothing where products are small, and lose much where something else runs.

        The first layer's product is not looked at: how many inputs it has is for the data to say.
        """
        largest_fan_in = self.width * (self.depth if self.skip == "dense" else 1)
        small = largest_fan_in * self.width * self.batch_size < _LARGE
        return THREADS if small and not self.model else ALONE

    @property
    def weight(self) -> float:
        """A stack is full at 64 members, or at some 2²⁷ numbers of activations and parameters."""
        # Dense skips read all earlier layers, so that their memory grows with the depth squared.
        layers = self.depth * (self.depth + 1) / 2 if self.skip == "dense" else self.depth
        return max(1 / 64, layers * self.width * (self.width + 4 * self.batch_size) / 2**27)

    @property
    def macs(self) -> float:
        """Multiply–accumulates of one training step, whose backward pass takes twice the forward pass; nan for a user's
        own network."""
        return math.nan if self.model else 3.0 * self._shape.macs() * self.batch_size

    @property
    def bytes(self) -> float:
        """Memory of one step, at least. A user's own model is not counted."""
        return 0.0 if self.model else self._shape.bytes(self.batch_size)

    def shape(self, inputs: int, classes: int) -> MLPShape:
        """The network of the cell on data with so many input features and classes."""
        acts, skip = per_layer(self.act, self.depth), parse_skip(self.skip)
        return MLPShape(inputs, classes, self.depth, self.width, acts, self.norm, skip)

    @property
    def _shape(self) -> MLPShape:
        return MLPShape.like(self.act, self.depth, self.width, self.norm, self.skip)
