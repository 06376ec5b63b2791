"""The cells: points of the curve of networks born dead."""

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import UsageError
from dnnlab.runner.experiment import ALONE


@dataclass(frozen=True)
class BornCell:
    """One point of the curve of networks born dead: many networks of one shape."""

    width: int
    depth: int
    init: str
    nets: int

    def __str__(self) -> str:
        return f"{self.nets} nets of width {self.width}, depth {self.depth}, init {self.init}"

    @property
    def together(self) -> Hashable:
        """Each point is a stack by itself."""
        return self

    beside = ALONE

    @property
    def weight(self) -> float:
        return 1.0

    @property
    def bytes(self) -> float:
        """Bytes that a twentieth of the networks takes, which is drawn at once: one layer and its activations in
        float64."""
        return 8.0 * self.nets / 20 * (self.width**2 + 200 * self.width)

    @property
    def macs(self) -> float:
        """Multiply–accumulates of all networks on two inputs."""
        return 2.0 * self.nets * self.depth * self.width**2


def plan(spec: Spec) -> Sequence[BornCell]:
    """One cell per combination of the options' lists."""
    points = itertools.product(spec.init, spec.depth, spec.width)
    return [BornCell(width, depth, init, spec.nets) for init, depth, width in points]


def validate(spec: Spec) -> None:
    """Check that the networks consist of ReLUs.

    Raises:
        UsageError: another activation was asked for.
    """
    if spec.act != ("relu",):
        raise UsageError("--born is about ReLU networks, born dead by their signs; leave out --act.")
