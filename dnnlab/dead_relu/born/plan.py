"""The cells: points of the curve of networks born dead."""

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import UsageError
from dnnlab.runner.experiment import ALONE


@dataclass(frozen=True)
class BornCell:
    """One point of the born-dead curve: so many networks of one shape."""

    width: int
    depth: int
    init: str
    nets: int

    def __str__(self) -> str:
        return f"{self.nets} nets of width {self.width}, depth {self.depth}, init {self.init}"

    @property
    def together(self) -> Hashable:
        """Each point is its own program."""
        return self

    beside = ALONE

    @property
    def weight(self) -> float:
        return 1.0

    @property
    def bytes(self) -> float:
        """Memory of a twentieth of the networks, which is drawn at once: a layer, and its activations, in float64."""
        return 8.0 * self.nets / 20 * (self.width**2 + 200 * self.width)

    @property
    def macs(self) -> float:
        """Of two inputs."""
        return 2.0 * self.nets * self.depth * self.width**2


def plan(spec: Spec) -> Sequence[BornCell]:
    """The product of the lists."""
    points = itertools.product(spec.init, spec.depth, spec.width)
    return [BornCell(width, depth, init, spec.nets) for init, depth, width in points]


def validate(spec: Spec) -> None:
    """See that the networks are of ReLUs.

    Raises:
        UsageError: another activation was asked for.
    """
    if spec.act != ("relu",):
        raise UsageError("--born is about ReLU networks, born dead by their signs; leave out --act.")
