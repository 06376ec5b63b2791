"""The comparisons, each with its blocks by name; the first is what the others are compared with."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from dnnlab.compare_arch.spec import Spec
from dnnlab.runner.experiment import ALONE

IMAGES = 16
"""Images in a batch."""

COMPARISONS: Mapping[str, tuple[str, ...]] = {
    "residual block, 56 px": ("basic, 64 channels", "bottleneck, 256-64-256"),
    "residual block, 256 channels, 14 px": ("basic", "bottleneck, 64 inside"),
    "1×1 before 3×3, 256 channels, 28 px": ("3×3", "1×1 to 64, 3×3"),
    "1×1 before 5×5, 256 channels, 28 px": ("5×5", "1×1 to 32, 5×5"),
    "Inception module 3a, 28 px": ("without reduction", "with 1×1 reduction"),
    "convolution, 64 to 128 channels, 56 px": ("standard", "depthwise separable"),
    "convolution, 256 channels, 14 px": ("standard", "depthwise separable"),
    "skip at equal MACs, 56 px": ("additive", "concatenating"),
    "batch norm, 64 channels, 56 px": ("none", "before the activation", "after the activation"),
    "activation, 64 channels, 56 px": ("relu", "leaky_relu", "elu", "selu", "gelu", "swish", "tanh", "sigmoid"),
}


@dataclass(frozen=True)
class BlockCell:
    """One block of one comparison."""

    comparison: str
    block: str

    seed = 0
    beside = ALONE
    weight = 1 / 1000

    def __str__(self) -> str:
        return "building blocks"

    @property
    def together(self) -> Hashable:
        """All blocks are one stack: times are only comparable when they are taken in turns."""
        return None

    @property
    def macs(self) -> float:
        return 0.0


def plan(spec: Spec) -> Sequence[BlockCell]:
    """One cell per block."""
    return [BlockCell(comparison, block) for comparison, blocks in COMPARISONS.items() for block in blocks]
