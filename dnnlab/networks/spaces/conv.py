"""Convolutional networks by stages: each has a block, its kernel, channels, number, connections and activation.

Importing this module does not import torch.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dnnlab.networks.spaces.space import Choices, Space

if TYPE_CHECKING:
    from torch import nn

STAGES = (1, 2, 3)
BLOCKS = ("conv", "separable", "bottleneck", "inception")
KERNELS = (3, 5)
CHANNELS = (8, 16, 32)
COUNTS = (1, 2)
CONNECTIONS = ("none", "residual", "dense")
SQUEEZES = ("none", "squeeze")
ACTS = ("relu", "leaky_relu", "gelu", "swish")

OF_A_STAGE: dict[str, Sequence[Any]] = {
    "block": BLOCKS,
    "kernel": KERNELS,
    "channels": CHANNELS,
    "count": COUNTS,
    "connect": CONNECTIONS,
    "se": SQUEEZES,
    "act": ACTS,
}
DIMENSIONS: dict[str, Sequence[Any]] = {
    "stages": STAGES,
    **{f"{name}.{stage}": choices for stage in STAGES for name, choices in OF_A_STAGE.items()},
}


def stage(choices: Choices, number: int) -> Choices:
    """The choices of one stage, by name."""
    return {name: choices[f"{name}.{number}"] for name in OF_A_STAGE}


def canonical(choices: Choices) -> Choices:
    """The choices without the stages that are not there; the branches of Inception have kernels of their own."""
    present: Choices = {"stages": choices["stages"]}
    for number in range(1, choices["stages"] + 1):
        present |= {
            f"{name}.{number}": choice
            for name, choice in stage(choices, number).items()
            if name != "kernel" or choices[f"block.{number}"] != "inception"
        }
    return present


def label(choices: Choices) -> str:
    """The network in one line, such as ``2× conv 3×3, 16 channels, residual, relu | …``, with one part per stage."""
    parts = []
    for number in range(1, choices["stages"] + 1):
        values = stage(choices, number)
        kernel = "" if values["block"] == "inception" else f" {values['kernel']}×{values['kernel']}"
        words = [f"{values['count']}× {values['block']}{kernel}", f"{values['channels']} channels"]
        words += [values[name] for name in ("connect", "se") if values[name] != "none"]
        parts.append(", ".join([*words, values["act"]]))
    return " | ".join(parts)


def _build(choices: Choices, shape: tuple[int, ...], classes: int) -> "nn.Module":
    from dnnlab.networks.spaces.conv_net import StagedConvNet

    return StagedConvNet([stage(choices, n) for n in range(1, choices["stages"] + 1)], shape, classes)


SPACE = Space(DIMENSIONS, _build, canonical, label)
