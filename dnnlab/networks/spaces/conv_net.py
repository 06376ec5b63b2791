"""The networks of the conv space, made of the blocks of the named architectures."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dnnlab.errors import UsageError
from dnnlab.networks.blocks import SqueezeExcite, Style
from dnnlab.networks.inception import Branches

_REDUCTION = 4
"""The reduction of channels in squeeze-and-excitation and inside the bottleneck."""


def branch(style: Style, block: str, inputs: int, outputs: int, kernel: int) -> nn.Module:
    """The module of one block, its activations included."""
    match block:
        case "separable":  # depthwise, then pointwise (Howard 2017)
            return nn.Sequential(
                style.layer(inputs, inputs, kernel, groups=inputs),
                style.layer(inputs, outputs, 1),
            )
        case "bottleneck":  # few channels in between (He 2016)
            inner = max(1, outputs // _REDUCTION)
            return nn.Sequential(
                style.layer(inputs, inner, 1),
                style.layer(inner, inner, kernel),
                style.layer(inner, outputs, 1),
            )
        case "inception":  # 1×1, 3×3, 5×5 and a pool, a quarter of the channels each (Szegedy 2015)
            quarter = outputs // 4
            return Branches(
                one=style.layer(inputs, quarter, 1),
                three=nn.Sequential(style.layer(inputs, quarter, 1), style.layer(quarter, quarter, 3)),
                five=nn.Sequential(style.layer(inputs, quarter, 1), style.layer(quarter, quarter, 5)),
                pool=nn.Sequential(nn.MaxPool2d(3, 1, 1), style.layer(inputs, outputs - 3 * quarter, 1)),
            )
    return style.layer(inputs, outputs, kernel)


class StageBlock(nn.Module):
    """A branch, squeeze-and-excitation where chosen, and its connection to the input.

    ``residual`` adds the input, through a 1×1 convolution where the channels change; ``dense`` appends it.
    """

    def __init__(self, style: Style, inputs: int, stage: Mapping[str, Any]) -> None:
        super().__init__()
        channels = stage["channels"]
        self.connect = stage["connect"]
        self.branch = branch(style, stage["block"], inputs, channels, stage["kernel"])
        self.se = (
            SqueezeExcite(channels, max(1, channels // _REDUCTION), stage["act"])
            if stage["se"] == "squeeze"
            else nn.Identity()
        )
        self.outputs = channels + inputs if self.connect == "dense" else channels
        changes = self.connect == "residual" and inputs != channels
        self.shortcut = style.layer(inputs, channels, 1, linear=True) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.se(self.branch(x))
        if self.connect == "dense":
            return torch.cat([x, out], 1)
        return out + self.shortcut(x) if self.connect == "residual" else out


class StagedConvNet(nn.Module):
    """Stages of blocks, the image halved between them, then the mean of each channel and a linear layer."""

    def __init__(self, stages: Sequence[Mapping[str, Any]], shape: Sequence[int], classes: int) -> None:
        super().__init__()
        if len(shape) != 3 or min(shape[1:]) < 2 ** (len(stages) - 1):
            raise UsageError(
                f"a convolutional network of {len(stages)} stages takes images, not {' × '.join(map(str, shape))}"
            )
        parts: list[nn.Module] = []
        reached = shape[0]
        for number, stage in enumerate(stages):
            style = Style(stage["act"], "batch")
            if number:
                parts.append(nn.MaxPool2d(2))
            for _ in range(stage["count"]):
                block = StageBlock(style, reached, stage)
                parts.append(block)
                reached = block.outputs
        self.stages = nn.Sequential(*parts)
        self.classifier = nn.Linear(reached, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[batch, class]`` of images ``[batch, channel, height, width]``."""
        return self.classifier(self.stages(x).mean((2, 3)))
