"""Fully connected networks: depth, width and activation of each layer, normalisation, skips.

Importing this module does not import torch.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dnnlab.networks.spaces.space import Choices, Space

if TYPE_CHECKING:
    from torch import nn

    from dnnlab.networks.spaces.stack import Stack

DEPTHS = (1, 2, 3, 4)
WIDTHS = (8, 16, 32, 64)
ACTS = ("relu", "leaky_relu", "tanh", "sigmoid", "gelu", "swish")
NORMS = ("none", "batch", "layer")
SKIPS = ("none", "residual")

DIMENSIONS: dict[str, Sequence[Any]] = {
    "depth": DEPTHS,
    **{f"width.{layer}": WIDTHS for layer in DEPTHS},
    **{f"act.{layer}": ACTS for layer in DEPTHS},
    "norm": NORMS,
    "skip": SKIPS,
}


def layers(choices: Choices) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Widths and activations of the layers that exist."""
    there = range(1, choices["depth"] + 1)
    return tuple(choices[f"width.{i}"] for i in there), tuple(choices[f"act.{i}"] for i in there)


def canonical(choices: Choices) -> Choices:
    """The choices without the layers that do not exist, and without skips that no two layers are alike enough for."""
    widths, _ = layers(choices)
    present = {k: v for k, v in choices.items() if "." not in k or int(k.split(".")[1]) <= choices["depth"]}
    joined = any(a == b for a, b in pairwise(widths))
    return present | {"skip": choices["skip"] if joined else "none"}


def label(choices: Choices) -> str:
    """The network in one line, such as ``64 relu, 32 gelu; norm batch; skip residual``."""
    present = canonical(choices)
    hidden = ", ".join(f"{width} {act}" for width, act in zip(*layers(choices), strict=True))
    return "; ".join([hidden, *(f"{name} {present[name]}" for name in ("norm", "skip") if present[name] != "none")])


def _build(choices: Choices, shape: tuple[int, ...], classes: int) -> "nn.Module":
    from dnnlab.networks.spaces.mlp_net import LayeredMLP

    return LayeredMLP(shape, classes, *layers(choices), choices["norm"], choices["skip"])


def _supernet(shape: tuple[int, ...], classes: int) -> "nn.Module":
    from dnnlab.networks.spaces.mlp_super import MLPSupernet

    return MLPSupernet(shape, classes)


def _stack(models: "Sequence[nn.Module]") -> "Stack":
    from dnnlab.networks.spaces.mlp_stack import MLPStack

    return MLPStack(models)


SPACE = Space(
    DIMENSIONS,
    _build,
    canonical,
    label,
    _supernet,
    bucket=lambda choices: [choices["depth"], choices["norm"]],
    stack=_stack,
)
